// detail/python_code: the same attack through other names, constants, places and times; and the limits.

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/detail/python_code.hpp"

namespace steelyard::formats {
namespace {

bool alarms(std::string_view code, std::string_view rule) {
  const PythonReport found = examine_python(code);
  return std::ranges::any_of(found.alarms, [&](const PythonAlarm& alarm) { return alarm.rule == rule; });
}
// "os.system@import"
std::string first_call(std::string_view code) {
  const PythonReport found = examine_python(code);
  if (found.calls.empty()) return {};
  const auto when = found.calls[0].when;
  return found.calls[0].name + (when == PythonCall::When::import ? "@import"
                                : when == PythonCall::When::main ? "@main"
                                                                 : "@call");
}

TEST(Python, OneCallByManyNames) {
  for (const std::string_view code : {"import os\nos.system('x')\n",
                                      "import os as o\no.system('x')\n",
                                      "from os import system as s\ns('x')\n",
                                      "from os import *\nsystem('x')\n",
                                      "__import__('os').system('x')\n",
                                      "import importlib\nimportlib.import_module('os').system('x')\n",
                                      "import os\nf = os.system\nf('x')\n",
                                      "import sys\nsys.modules['os'].system('x')\n",
                                      "import os\nclass A:\n    f = os.system('x')\n",
                                      "import os\ndef f(a=os.system('x')): pass\n",
                                      "import os\n@os.system('x')\nclass A: pass\n",
                                      "f'{__import__(\"os\").system(\"x\")}'\n",
                                      "import os\nos.__dict__['system']('x')\n",
                                      "import os\nvars(os)['system']('x')\n",
                                      "import os\nos.system.__call__('x')\n",
                                      "from torch.serialization import os\nos.system('x')\n",
                                      "import torch\ntorch.serialization.os.system('x')\n",
                                      "import os\nx = [os.system]\nx[0]('x')\n",
                                      "import os\nif 1: os.system('x')\n",
                                      "eval('__import__(\"os\").system(\"x\")')\n",
                                      "import functools, os\nfunctools.partial(os.system, 'x')()\n",
                                      "import threading, os\nthreading.Thread(target=os.system, args=('x',)).start()\n",
                                      "import os; x = {'a': os.system}\n"})
    EXPECT_EQ(first_call(code), "os.system@import") << code;
}

TEST(Python, WhenItRuns) {
  EXPECT_EQ(first_call("import os\ndef f():\n    os.system('x')\n"), "os.system@call");
  EXPECT_EQ(first_call("import os\nf = lambda: os.system('x')\n"), "os.system@call");
  EXPECT_EQ(first_call("import os\nif __name__ == '__main__':\n    os.system('x')\n"), "os.system@main");
  EXPECT_EQ(first_call("import os\nif __name__ == 'x':\n    os.system('x')\n"), "os.system@import");
  EXPECT_EQ(first_call("import os\nx = [lambda: 1, os.system('x')]\n"), "os.system@import");
  EXPECT_EQ(first_call("import os\ndef f():\n    pass\nos.system('x')\n"), "os.system@import");
  EXPECT_EQ(first_call("import os\nasync def f():\n  if 1:\n    pass\n  os.system('x')\n"), "os.system@call");
}

TEST(Python, FunctionsThatAreCalledOnImport) {
  EXPECT_EQ(first_call("import os\ndef f():\n    os.system('x')\nf()\n"), "os.system@import");
  EXPECT_EQ(first_call("import os\ndef f():\n    os.system('x')\ndef g():\n    f()\nx = g()\n"), "os.system@import");
  EXPECT_EQ(first_call("import os, threading\ndef f():\n    os.system('x')\nthreading.Thread(target=f).start()\n"),
            "os.system@import");
  EXPECT_EQ(first_call("import os\ndef f():\n    os.system('x')\ndef g():\n    f()\n"), "os.system@call");
  EXPECT_EQ(first_call("import os\ndef f():\n    os.system('x')\nif __name__ == '__main__':\n    f()\n"),
            "os.system@call");
  EXPECT_EQ(first_call("import os\ndef f():\n    f()\n    os.system('x')\n"), "os.system@call");
}

TEST(Python, NamesThatOnlyLookAlike) {
  for (const std::string_view code :
       {"model.eval()\n", "requests = []\nrequests.append(1)\nfor r in requests: r.post()\n",
        "import re\nre.compile('x')\n", "self.exec(x)\n", "def system(x): pass\nsystem('x')\n",
        "os = Thing()\nos.system('x')\n", "import ast\nast.literal_eval('1')\n",
        "import subprocess\nexcept_ = (subprocess.CalledProcessError,)\n", "'os.system'\n# os.system('x')\n",
        "import socket\nsocket.gethostname()\n", "df.eval('a + b')\n",
        "import torch\ntorch.load(p, weights_only=True)\n", "import yaml\nyaml.load(f, Loader=yaml.SafeLoader)\n",
        "import numpy as np\nnp.load('x.npy')\n"})
    EXPECT_EQ(first_call(code), "") << code;
}

TEST(Python, ConstantsArePutTogether) {
  for (const std::string_view code :
       {"getattr(__import__('o' + 's'), 'sys' + 'tem')('x')\n", "__import__('so'[::-1]).system('x')\n",
        "__import__(''.join(['o', 's']))\n", "import base64\n__import__(base64.b64decode('b3M=').decode())\n",
        "__import__(chr(111) + chr(115))\n", "__import__(bytes([111, 115]).decode())\n",
        "__import__('sb'.replace('b', 'ys'))\n", "import codecs\n__import__(codecs.decode('bf', 'rot13'))\n",
        "__import__(bytes.fromhex('6f73').decode())\n", "a = 'o'\na += 's'\n__import__(a)\n",
        "__import__(f'{\"o\"}s')\n"})
    EXPECT_TRUE(alarms(code, "PYC008")) << code;
  for (const std::string_view code :
       {"getattr(torch, 'float' + '16')\n", "__import__('transformers')\n",
        "name = 'a' + 'b'\nimportlib.import_module(name)\n", "getattr(self, 'layer' + str(i))\n"})
    EXPECT_FALSE(alarms(code, "PYC008")) << code;
}

TEST(Python, MarksFollowValues) {
  EXPECT_TRUE(alarms("import requests\ndef get():\n    return requests.get(u).text\nexec(get())\n", "PYC001"));
  EXPECT_TRUE(
      alarms("import base64\nclass A:\n    def f(self):\n        self.x = base64.b64decode(y)\n        exec(self.x)\n",
             "PYC001"));
  EXPECT_TRUE(alarms("import os, requests\ne = os.environ.copy()\nrequests.post(u, data={'a': e})\n", "PYC002"));
  EXPECT_TRUE(
      alarms("import requests\np = '/tmp/x'\nwith open(p, 'wb') as f:\n    f.write(requests.get(u).content)\nimport "
             "subprocess\nsubprocess.Popen([p])\n",
             "PYC003"));
  EXPECT_FALSE(alarms("import requests\nx = requests.get(u).json()\nprint(eval('1'), x)\n", "PYC001"));
  EXPECT_FALSE(
      alarms("import base64, io\nfrom PIL import Image\nImage.open(io.BytesIO(base64.b64decode(x)))\n", "PYC001"));
  EXPECT_FALSE(alarms("import os, requests\nrequests.post(u, headers={'a': os.environ.get('TOKEN')})\n", "PYC002"));
  EXPECT_FALSE(alarms(
      "import requests\nopen('cat.png', 'wb').write(requests.get(u).content)\nimport os\nos.system('ls')\n", "PYC003"));
}

TEST(Python, WhatPythonRefusesIsSaid) {
  for (const std::string_view code : {"x = (1\n", "x = 'a\n", "x = 1)\n", "if 1:\n    a\n  b\n", "x = $\n", "'''abc"})
    EXPECT_NE(examine_python(code).fault, "") << code;
  for (const std::string_view code :
       {"", "\n\n", "# only\n", "x = '''a\nb'''\n", "if 1: pass", "x = [\n1,\n\n2]\n", "def f():\n\treturn 1\n",
        "x = f'{a!r:>{w}} {b[\"c\"]} {{}}'\n", "match x:\n  case 1: pass\n", "x = 1 if y else 2\n",
        "print(f\"{x:%Y-%m}\")\n", "lambda *a, **k: (a, k)\n", "x: int = 3\n",
        "async def f():\n    async with a as b, c as (d, e):\n        await f()\n"})
    EXPECT_EQ(examine_python(code).fault, "") << code;
}

TEST(Python, HostileTextsEnd) {
  const auto many = [](std::string_view piece, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += piece;
    return text;
  };
  EXPECT_NE(examine_python(many("(", 5000)).fault, "");
  EXPECT_NE(examine_python(many("f'{", 5000)).fault, "");
  (void)examine_python(many("exec('", 500));
  (void)examine_python("x = 'a'\n" + many("x = x + x\n", 10'000));
  (void)examine_python("x = [1]\n" + many("x = x + x\n", 10'000));
  (void)examine_python(many("a.", 20'000));
  (void)examine_python(many("if 1:\n", 3000));
  (void)examine_python(many(")", 2000));
  (void)examine_python(many("from ", 20'000));
  (void)examine_python(many("match ", 20'000));
  (void)examine_python(many("as ", 20'000));
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "if 1:\n";
  EXPECT_NE(examine_python(deep).fault, "");
}

}  // namespace
}  // namespace steelyard::formats
