"""The Jinja parser and interpreter against jinja2, configured as transformers configures it.

Parsing: accepted there <=> accepted here, over the real templates of llama.cpp's source, over expressions written
here and over mutations of both. Rendering: the same text, or both refuse, for every template and message shape.
"""

import datetime
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import warnings

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
SDIST = SOURCE / "build/cache/llama-cpp-python-0.3.36.tar.gz"
RANDOM = random.Random(20261126)
NOW = datetime.datetime(2026, 7, 15, 13, 45, 30)
warnings.simplefilter("ignore")


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("body"), [], [], body).set_lineno(line)

    def body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENVIRONMENT = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols, jinja2.ext.do])
ENVIRONMENT.filters["tojson"] = tojson
ENVIRONMENT.globals["raise_exception"] = raise_exception
ENVIRONMENT.globals["strftime_now"] = NOW.strftime

BODY = "  Ünï <b>q</b> \"x\" 'y' \\ {z}\n\n* l1\tT  "
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Weather at a place", "parameters": {
        "type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "Which city"},
            "days": {"type": "integer", "enum": [1, 2]}, "unit": {"type": ["string", "null"]}}}}},
    {"type": "function", "function": {"name": "send", "description": "Sends", "parameters": {"type": "object", "properties": {}}}}]
CALL = [{"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Ü\"x", "days": 2}}}]


def message(role, content=None, **more):
    return {"role": role, "content": content, **more}


def shapes():
    user, reply = message("user", "u1" + BODY), message("assistant", "a1" + BODY)
    system, again = message("system", "s1" + BODY), message("user", "u2" + BODY)
    thought = message("assistant", "<think>\nr1\n</think>\n\na2")
    tool = [message("assistant", "calling", tool_calls=CALL), message("tool", "{\"t\": 3}", tool_call_id="abcdefghi", name="get_weather")]
    parts = message("user", [{"type": "text", "text": "p1" + BODY}, {"type": "image"}, {"type": "text", "text": "p2"}])
    conversations = [
        [user], [system, user], [user, reply], [system, user, reply, again], [user, thought, again], [message("developer", "d"), user],
        [user, *tool], [system, user, *tool, reply, again], [parts], [message("user", "")], [user, message("assistant", None, tool_calls=CALL)],
        [user, message("assistant", "x", reasoning_content="r2"), again], [*itertools.chain(*[[user, reply]] * 4), again], [message("other", "o")], []]
    for number, messages in enumerate(conversations):
        for tools in (None, TOOLS):
            context = {"messages": messages, "tools": tools, "documents": None, "bos_token": "<s>", "eos_token": "</s>",
                       "add_generation_prompt": number % 2 == 0}
            yield context
    yield {"messages": [user], "documents": [{"title": "T", "text": "X"}], "bos_token": "", "eos_token": "", "add_generation_prompt": True}
    for flag in ("enable_thinking", "thinking", "reasoning_effort", "builtin_tools", "date_string"):
        for value in (True, False, "high"):
            yield {"messages": [system, user, thought, again], "tools": TOOLS, "bos_token": "<s>", "eos_token": "</s>",
                   "add_generation_prompt": True, flag: [value] if flag == "builtin_tools" else value}


def real_templates():
    if not SDIST.exists():
        return {}
    out = {}
    with tarfile.open(SDIST) as archive:
        for member in archive:
            if "/vendor/llama.cpp/models/" in member.name and member.name.endswith(".jinja"):
                out[pathlib.PurePath(member.name).name] = archive.extractfile(member).read().decode()
    return out


EXPRESSIONS = (SOURCE / "tests/oracle/jinja_expressions.txt").read_text().split("\n%%\n")


def mutate(text):
    pieces = ["{%", "%}", "{{", "}}", "{#", "#}", "-", "+", " ", "\n", "if", "endif", "else", "for", "in", "not", "is", "raw", "endraw", "(", ")", "[", "]",
              "{", "}", ",", ":", ".", "|", "'", '"', "\\", "==", "~", "=", "0", "1e5", "0x1f", "1_0", "a", "elif", "set", "\r\n", "\t", "é", "endfor", "**", "*"]
    for _ in range(RANDOM.randrange(1, 4)):
        at = RANDOM.randrange(len(text) + 1)
        choice = RANDOM.random()
        if choice < 0.4:
            text = text[:at] + RANDOM.choice(pieces) + text[at:]
        elif choice < 0.7:
            text = text[:at] + text[at + RANDOM.randrange(1, 4):]
        elif choice < 0.85:
            other = RANDOM.randrange(len(text) + 1)
            text = text[:at] + text[other:other + RANDOM.randrange(1, 20)] + text[at:]
        else:
            text = text[:at] + RANDOM.choice(pieces) + text[at + 1:]
    return text


def accepted(text):
    try:
        ENVIRONMENT.parse(text)
        return True
    except jinja2.exceptions.TemplateSyntaxError as error:
        return f"{error}"
    except RecursionError:
        return None


def ours(lines):
    text = "\n".join(json.dumps(line) for line in lines)
    answers = subprocess.run([BUILD / "tests/jinja"], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(lines), f"{len(answers)} answers to {len(lines)} lines"
    return [json.loads(answer) for answer in answers]


def check_parsing(templates, mutations):
    texts = list(templates) + [mutate(RANDOM.choice(templates)) for _ in range(mutations)]
    wrong, seen = [], {"both accept": 0, "both refuse": 0, "budget": 0}
    for text, answer in zip(texts, ours([{"template": text} for text in texts])):
        theirs = accepted(text)
        if answer.get("budget") or theirs is None:
            seen["budget"] += 1
        elif (theirs is True) == ("refused" not in answer):
            seen["both accept" if theirs is True else "both refuse"] += 1
        else:
            wrong.append((theirs, answer, text))
    for theirs, answer, text in wrong[:10]:
        print(f"FAILED: there {theirs}, here {answer}: {text[max(0, answer.get('offset', 0) - 60):][:160]!r}")
    print(f"parsing: {len(texts)} templates, {seen}, {len(wrong)} wrong")
    return not wrong and seen["both accept"] > 100 and seen["both refuse"] > mutations // 5


def render(template, context):
    try:
        return template.render(**context)
    except Exception as error:  # any refusal counts, whatever its type
        return error


def check_rendering(templates, contexts):
    wrong, seen = [], {"same text": 0, "both refuse": 0}
    for name, text in templates.items():
        try:
            template = ENVIRONMENT.from_string(text)
        except Exception as error:
            template, problem = None, error
        for context, answer in zip(contexts, ours([{"template": text, "context": context} for context in contexts])):
            theirs = render(template, context) if template else problem
            if isinstance(theirs, str) and answer.get("stop") == "finished" and answer["text"] == theirs and answer["accounted"]:
                seen["same text"] += 1
            elif isinstance(theirs, Exception) and answer.get("stop") != "finished":
                seen["both refuse"] += 1
            else:
                wrong.append((name, context, theirs, answer))
    for name, context, theirs, answer in wrong[:int(os.environ.get("SHOW", "8"))]:
        print(f"FAILED {name}: {json.dumps(context, ensure_ascii=False)[:300]}\n  there: {theirs!r}"[:1500])
        print(f"  here: {answer!r}"[:1500])
    print(f"rendering: {len(templates)} templates, {len(contexts)} contexts, {seen}, {len(wrong)} wrong in {len({w[0] for w in wrong})}")
    return not wrong


if __name__ == "__main__":
    real = real_templates()
    good = [check_parsing([*real.values(), *EXPRESSIONS], 2000 * int(os.environ.get("STEELYARD_ORACLE_SCALE", "1")))]
    good.append(check_rendering({text: text for text in EXPRESSIONS}, [next(shapes()), *itertools.islice(shapes(), 7, 9)]))
    if real:
        good.append(check_rendering(real, list(shapes())))
    else:
        print(f"rendering: {SDIST.name} isn't there: tools/setup llama fetches it")
    sys.exit(not all(good))
