"""The driver engine_client as an object: a pool of engines that answers requests."""

import json
import subprocess


class Client:
    def __init__(self, driver, engine, model, workers=1, context=256, sequences=1, sandboxed=True, threads=1, fastest=False):
        command = [driver, engine, model, workers, context, sequences, threads, *([] if sandboxed else ["open"]), *(["fastest"] if fastest else [])]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = json.loads(self.process.stdout.readline())

    def ask(self, do, **members):
        self.process.stdin.write(json.dumps({"do": do, **members}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
