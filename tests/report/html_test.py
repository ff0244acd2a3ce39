"""The HTML report is well-formed, self-contained and accessible.

Takes files as arguments, or makes them with $STEELYARD_BUILD's report_fixture (in the build folder or
its tests/). Checks with html.parser only, so that it runs anywhere: balanced elements, no script, nothing
loaded, no inline style or handler, a Content-Security-Policy whose hash is that of the style sheet, unique
ids, links that lead somewhere, captions and scopes on tables, headings in order, a size that mails well.
"""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input", "col", "base", "area", "embed", "source", "track", "wbr"}
LOADS = {"img", "script", "iframe", "object", "embed", "link", "video", "audio", "source", "base", "form", "image", "use"}
MOST_BYTES = 200_000


class Checker(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.errors, self.stack, self.ids, self.links, self.headings = [], [], [], [], []
        self.labels, self.tables, self.style, self.policy, self.lang = [], [], "", "", None

    def fault(self, text):
        self.errors.append(f"line {self.getpos()[0]} column {self.getpos()[1]}: {text}")

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        values = dict(attributes)
        if len(names) != len(set(names)):
            self.fault(f"<{tag}> has an attribute twice: {names}")
        if tag in LOADS:
            self.fault(f"<{tag}> can load or send something")
        for name, value in attributes:
            if name.startswith("on") or name in ("style", "src", "srcset", "background", "xlink:href"):
                self.fault(f"<{tag}> has the attribute {name}")
            if name == "href" and not (tag == "a" and re.match(r"#|https://", value or "")):
                self.fault(f"<{tag}> has href {value!r}")
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a" and values.get("href", "").startswith("#"):
            self.links.append(values["href"][1:])
        self.labels += values.get("aria-labelledby", "").split()
        if tag == "html":
            self.lang = values.get("lang")
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append(False)
        if tag == "caption" and self.tables:
            self.tables[-1] = True
        if tag == "th" and values.get("scope") not in ("row", "col"):
            self.fault("<th> without scope")
        if tag == "svg" and values.get("role") != "img" and values.get("aria-hidden") != "true":
            self.fault("<svg> is neither an image with a name nor hidden")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1] != tag:
            self.fault(f"</{tag}> closes {self.stack[-1:]}")
            return
        self.stack.pop()
        if tag == "table" and not self.tables.pop():
            self.fault("<table> without caption")

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "style":
            self.style += data
        for character in data:
            code = ord(character)
            if (code < 32 and character != "\n") or 0x7F <= code < 0xA0 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
                self.fault(f"character U+{code:04X}")

    def finish(self, whole):
        self.close()
        if self.stack:
            self.errors.append(f"not closed: {self.stack}")
        if not self.lang:
            self.errors.append("<html> without lang")
        twice = {name for name in self.ids if self.ids.count(name) > 1}
        if twice:
            self.errors.append(f"ids that aren't unique: {sorted(twice)}")
        wanted = set(self.labels) | (set(self.links) if whole else set())
        if wanted - set(self.ids):
            self.errors.append(f"references to ids that don't exist: {sorted(wanted - set(self.ids))}")
        if self.headings[:1] != [1] or self.headings.count(1) != 1:
            self.errors.append(f"not exactly one h1, first: {self.headings}")
        for before, after in zip(self.headings, self.headings[1:]):
            if after > before + 1:
                self.errors.append(f"h{after} after h{before}")
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        if not self.style:
            self.errors.append("no style sheet")
        if "default-src 'none'" not in self.policy or f"style-src 'sha256-{digest}'" not in self.policy:
            self.errors.append(f"Content-Security-Policy {self.policy!r} doesn't fit the style sheet sha256-{digest}")
        if re.search(r"url\(|@import", self.style):
            self.errors.append("the style sheet loads something")
        return self.errors


def check(name, data, whole=True):
    checker = Checker()
    checker.feed(data.decode("utf-8"))
    errors = checker.finish(whole)
    if len(data) > MOST_BYTES:
        errors.append(f"{len(data)} bytes, expected at most {MOST_BYTES}")
    for error in errors[:20]:
        print(f"{name}: {error}", file=sys.stderr)
    return not errors


def self_test():
    """A checker that accepts everything checks nothing."""
    good = "<!doctype html><html lang=en><head><meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'sha256-{}'\"><style>a{{}}</style></head><body><h1>x</h1>{}</body></html>"
    digest = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    bad = ["<script></script>", "<p>", "<h3>x</h3>", "<p id=a></p><p id=a></p>", "<img src=x>", "<a href='javascript:x'>x</a>",
           "<table><tr><td>x</td></tr></table>", "<p style='x'></p>", "<p onclick=x></p>", "<p>\u202e</p>", "<a href='#no'>x</a>"]
    stream, sys.stderr = sys.stderr, open(os.devnull, "w")
    try:
        assert check("good", good.format(digest, "").encode()), "the self-test's good page fails"
        for part in bad:
            assert not check("bad", good.format(digest, part).encode()), f"not noticed: {part}"
        assert not check("bad", good.format("x", "").encode()), "not noticed: a wrong hash"
    finally:
        sys.stderr.close()
        sys.stderr = stream


def main():
    self_test()
    if len(sys.argv) > 1:
        return all([check(path, pathlib.Path(path).read_bytes()) for path in sys.argv[1:]])
    build = pathlib.Path(os.environ["STEELYARD_BUILD"])
    program = next((p for p in (build / "report_fixture", build / "tests" / "report_fixture") if p.exists()), None)
    if program is None:
        print(f"no report_fixture in {build}", file=sys.stderr)
        return False
    names = ["matrix", "fit", "undetermined", "conditions", "unfit", "scan", "hostile", "flood"]
    # Of a flood, the rows that links lead to may have been left out.
    pages = [(name, subprocess.run([program, "html", name], check=True, stdout=subprocess.PIPE).stdout) for name in names]
    return all([check(name, data, whole=name != "flood") for name, data in pages])


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
