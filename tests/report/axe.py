"""The HTML report in headless Chromium under axe-core: no violation, in light and dark, on paper, wide and narrow.

axe-core comes with the package axe-playwright-python; Chromium is driven over its own pipe (DevTools Protocol), so no
other package is needed. Usage: axe.py [--shots FOLDER] [FILE…]; without files, made-up reports and one of vet.
"""

import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))
from program import BUILD, GOOD, Checks, recipe, run, scratch

FIXTURES = ("matrix", "undetermined", "conditions", "unfit", "scan", "accepted", "hostile", "flood")
# What is looked at: colour scheme, medium, width.
VIEWS = {"light": ("light", "screen", 1100), "dark": ("dark", "screen", 1100), "print": ("light", "print", 794), "narrow": ("light", "screen", 380)}


class Browser:
    """Chromium over --remote-debugging-pipe: JSON messages that end with a zero byte."""

    def __init__(self):
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()
        self.profile = tempfile.mkdtemp(prefix="steelyard-axe-")

        def place():  # the browser reads descriptor 3 and writes 4
            os.dup2(to_browser, 30)
            os.dup2(from_browser, 31)
            os.dup2(30, 3)
            os.dup2(31, 4)

        program = shutil.which("chromium")
        if program is None:
            raise SystemExit("axe: chromium is not installed (tools/setup external)")
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.last, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime"):
            self.page(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.buffer:
            part = os.read(self.into, 1 << 20)
            if not part:
                raise SystemExit("axe: chromium went away")
            self.buffer += part
        first, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(first)

    def call(self, method, session=None, **params):
        self.last += 1
        request = {"id": self.last, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise SystemExit(f"axe: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer.get("method"))

    def page(self, method, **params):
        return self.call(method, self.session, **params)

    def open(self, path):
        self.events.clear()
        self.page("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self.events:
            self.events.append(self.message().get("method"))

    def value(self, expression):
        answer = self.page("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"axe: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def view(self, scheme, medium, width, height=1400):
        self.page("Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.page("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def shot(self, path):
        import base64

        path.write_bytes(base64.b64decode(self.page("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def reports(folder, env):
    program = BUILD / "tests/report_fixture"
    for name in FIXTURES:
        path = folder / f"{name}.html"
        path.write_bytes(subprocess.run([program, "html", name], check=True, stdout=subprocess.PIPE).stdout)
        yield path
    model = folder / "model.gguf"
    model.write_bytes(recipe(GOOD))
    run("vet", model, "-q", "-o", folder / "vet.html", env=env)
    run("context", "coding-agent", "-q", "-o", folder / "context.html", env=env)
    yield from (folder / "vet.html", folder / "context.html")


def main(arguments):
    checks = Checks()
    folder, env = scratch()
    shots = None
    if arguments[:1] == ["--shots"]:
        shots = pathlib.Path(arguments[1])
        shots.mkdir(parents=True, exist_ok=True)
        arguments = arguments[2:]
    axe = importlib.metadata.distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")
    script = pathlib.Path(axe).read_text()
    browser = Browser()
    try:
        # The check can fail.
        wrong = folder / "wrong.html"
        wrong.write_text("<!doctype html><html><body><p style='color:#ddd;background:#fff'>hardly to be read</p><img src=x></body></html>")
        browser.open(wrong)
        browser.view(*VIEWS["light"])
        browser.value(script + ";0")
        found = {v["id"] for v in browser.value("axe.run().then(r => r.violations.map(v => ({id: v.id})))")}
        checks.true({"image-alt", "color-contrast", "html-has-lang"} <= found, f"axe sees what is wrong: {found}")
        for path in [pathlib.Path(a) for a in arguments] or reports(folder, env):
            browser.open(path)
            browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
            browser.value(script + ";0")
            for view, (scheme, medium, width) in VIEWS.items():
                browser.view(scheme, medium, width)
                result = browser.value(
                    "axe.run({resultTypes: ['violations', 'incomplete']}).then(r => ({bad: r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200),"
                    " v.nodes[0].failureSummary]), open: r.incomplete.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].any.concat(v.nodes[0].all).map(c => c.message).join('; ')]),"
                    " passes: r.passes.length}))")
                checks.equal(result["bad"], [], f"{path.name} {view}")
                checks.true(result["passes"] > 10, f"{path.name} {view}: {result['passes']} rules were applied")
                if "-v" in os.environ.get("AXE", "") and result["open"]:
                    print(path.name, view, "to be judged by a person:", result["open"])
                wide = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                checks.true(wide <= 0, f"{path.name} {view}: the page scrolls sideways by {wide}")
                if shots:
                    browser.shot(shots / f"{path.stem}-{view}.png")
    finally:
        browser.close()
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
