"""Completion in the real shells, the manual page, and the lists: rules and formats."""

import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from program import SOURCE, STEELYARD, Checks, run, scratch

checks = Checks()
folder, env = scratch()
(folder / "model with space.gguf").write_text("x")
(folder / "models").mkdir()

# What was typed, and what must be offered and not be offered.
CASES = [
    (["sc"], {"scan"}, {"vet"}),
    (["scan", "--fo"], {"--format"}, {"--fail-on"}),
    (["scan", "--format", "js"], {"json", "jsonl"}, {"sarif"}),
    (["scan", "--fail-on", ""], {"never", "critical"}, {"model with space.gguf"}),
    (["vet", "-c", "mail"], {"mail-assistant"}, {"coding-agent"}),
    (["completion", ""], {"bash", "zsh", "fish"}, {"models"}),
    (["explain", "GGF00"], {"GGF001"}, {"STS001"}),
    (["scan", "mod"], {"models", "model with space.gguf"}, {"vet"}),
    (["vet", "--require", "mod"], {"models", "model with space.gguf"}, {"business"}),
]
scripts = {}
for shell in ("bash", "zsh", "fish"):
    scripts[shell] = folder / f"completion.{shell}"
    done = run("completion", shell, env=env)
    scripts[shell].write_text(done.stdout)
    checks.equal(done.returncode, 0, f"completion {shell}")
    checks.equal(subprocess.run([shell, "-n", scripts[shell]], capture_output=True, text=True).stderr, "", f"{shell} parses it")
checks.equal(run("completion", "tcsh", env=env).returncode, 2, "another shell")


def offered_by_bash(words):
    typed = " ".join(f"'{w}'" for w in ["steelyard", *words])
    script = (f"source {scripts['bash']}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _steelyard; "
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True).stdout.splitlines()


def offered_by_fish(words):
    script = f"source {scripts['fish']}; complete -C 'steelyard {' '.join(words)}'"
    lines = subprocess.run(["fish", "-c", script], cwd=folder, env=env, capture_output=True, text=True).stdout.splitlines()
    return [line.split("\t")[0].rstrip("/").replace("\\ ", " ") for line in lines]


ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source {script}; LISTMAX=1000; bindkey "^I" list-choices; cd {folder}; PROMPT="NO""W>" RPROMPT='
zpty -r z seen '*NOW>*'
while IFS= read -r typed; do
  zpty -w -n z "$typed"$'\\t'
  out=''
  for try in {{1..40}}; do
    sleep 0.05
    before=$out
    while zpty -r -t z chunk; do out+=$chunk; done
    [[ $try -gt 6 && -n $out && $before == $out ]] && break
  done
  print -r -- "$out"
  print END
  zpty -w -n z $'\\x15'
  sleep 0.1
  while zpty -r -t z chunk; do :; done
done
"""


def offered_by_zsh(cases):
    """What the shell lists on its terminal, all cases in one session."""
    typed = "".join("steelyard " + " ".join(words) + "\n" for words in cases)
    program = ZSH.format(script=scripts["zsh"], folder=folder)
    done = subprocess.run(["zsh", "-f", "-c", program], input=typed, env={**env, "TERM": "dumb"}, capture_output=True, text=True, timeout=120)
    screens = done.stdout.split("END\n")[:-1]
    return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", " ", screen).replace("\\ ", " ") for screen in screens]


for words, wanted, unwanted in CASES:
    for shell, offered in {"bash": offered_by_bash(words), "fish": offered_by_fish(words)}.items():
        checks.true(wanted <= set(offered) and not unwanted & set(offered), f"{shell} {words}: {offered}")
screens = offered_by_zsh([words for words, *_ in CASES])
checks.equal(len(screens), len(CASES), "zsh answered")
for (words, wanted, unwanted), screen in zip(CASES, screens):
    listed = screen.split("\n", 1)[1] if "\n" in screen else ""
    checks.true(all(w in listed for w in wanted), f"zsh {words}: {screen!r}")
    checks.true(not any(re.search(rf"(?m)(^|\s){re.escape(w)}(\s|$)", listed) for w in unwanted), f"zsh {words}: {screen!r}")
checks.equal(set(offered_by_bash(["scan", "--format", "=", "ht"])), {"html"}, "bash: --format=ht")

# The manual page has every command and flag, and no mistake that mandoc knows.
page = folder / "steelyard.1"
page.write_text(run("man", env=env).stdout)
lint = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True)
checks.equal(lint.stdout + lint.stderr, "", "mandoc -Tlint")
shown = subprocess.run(["mandoc", "-Tascii", page], capture_output=True, text=True).stdout
shown = re.sub(".\b", "", shown)
for command in re.findall(r"(?m)^  ([a-z]+) ", run("--help", env=env).stdout.split("Commands:")[1]):
    checks.true(re.search(rf"(?m)^   {command}$", shown), f"man: {command}")
    for flag in re.findall(r"--[a-z-]+", run(command, "--help", env=env).stdout.split("Flags:")[1]):
        checks.true(flag in shown or flag == "--help", f"man: {command} {flag}")

# The lists.
rules = json.loads(run("rules", "-f", "json", env=env).stdout)["rules"]
checks.equal(len(rules), len(list((SOURCE / "data/rules").glob("*/*.toml"))), "all rules")
checks.true(all(r["why"] and r["fix"] and r["severity"] for r in rules), "whole rules")
checks.equal({r["id"][:3] for r in json.loads(run("rules", "ggf", "-f", "json", env=env).stdout)["rules"]}, {"GGF"}, "one family")
checks.equal(len(run("rules", "GGF001", "STS001", env=env).stdout.splitlines()) >= 2, True, "two rules as text")
checks.equal(run("rules", "XYZ", env=env).returncode, 2, "no such family")
formats = json.loads(run("formats", "-f", "json", env=env).stdout)
checks.true({"gguf", "safetensors"} <= {f["id"] for f in formats["models"]}, "model formats")
checks.equal({f["id"] for f in formats["reports"]}, {p.stem for p in (SOURCE / "src/report").glob("*.cpp") if "_renderer = {" in p.read_text()}, "report formats")
checks.true("safetensors" in run("formats", env=env).stdout, "formats as text")

# Installed where the system looks.
target = folder / "root"
subprocess.run(["cmake", "--install", str(pathlib.Path(STEELYARD).parent), "--prefix", str(target)], check=True, capture_output=True)
for path in ("bin/steelyard", "share/man/man1/steelyard.1", "share/bash-completion/completions/steelyard",
             "share/zsh/site-functions/_steelyard", "share/fish/vendor_completions.d/steelyard.fish"):
    checks.true((target / path).stat().st_size > 1000, path)
checks.finish()
