#include "formats/detail/shell_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/text.hpp"
#include "formats/detail/packages.hpp"
#include "formats/detail/python_code.hpp"
#include "formats/detail/python_values.hpp"

namespace steelyard::formats {
namespace {

constexpr int kDeepest = 6;
constexpr std::size_t kMostAlarms = 32;
constexpr std::size_t kMostWords = 4096;  // of one command
constexpr std::size_t kMostHeredocs = 64;
constexpr std::size_t kLongestHeredoc = std::size_t{256} << 10;  // a longer one is read as commands
constexpr std::size_t kMostFiles = 256;
constexpr std::size_t kMostText = std::size_t{4} << 20;

struct Word {
  std::string text;                   // without its quotes; substitutions as {}
  std::vector<std::string> commands;  // inside $(…), `…` and <(…)
};
struct Command {
  std::vector<Word> words;
  std::vector<Word> targets;          // of > and >>
  std::vector<std::string> assigned;  // substitutions in assignments before the program
};
using Pipeline = std::vector<Command>;

// Splits into pipelines. A quote that is never closed ends with its line: the text may be prose.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  bool next(Pipeline& out, Range& at) {
    out.assign(1, {});
    word_ = {};
    open_ = false;
    redirect_ = false;
    while (at_ < text_.size() && std::string_view(" \t\r\n;").contains(text_[at_])) ++at_;
    if (at_ >= text_.size()) return false;
    at.begin = at_;
    while (at_ < text_.size() && !separator(out)) {
    }
    flush(out);
    at.end = std::min(at_, text_.size());
    return true;
  }

 private:
  // Reads one piece; whether it ended the pipeline.
  bool separator(Pipeline& out) {
    const char c = text_[at_];
    if (c == '\\' || (c == '^' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n')) {
      if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n' && text_[at_ + 1] != '\r') {
        // Windows paths keep their backslashes.
        if (text_[at_ + 1] >= 'A' && text_[at_ + 1] <= 'Z') word_.text += c;
        word_.text += text_[at_ + 1];
        open_ = true;
        at_ += 2;
      } else {
        at_ += at_ + 2 < text_.size() && text_[at_ + 1] == '\r' ? std::size_t{3} : 2;
      }
    } else if (c == '\'' || c == '"') {
      quoted(c);
    } else if (c == '$' && peek(1) == '(') {
      at_ += 2;
      substitution(')');
    } else if ((c == '<' || c == '>') && peek(1) == '(') {
      at_ += 2;
      substitution(')');
      word_.text = "<()";
    } else if (c == '`') {
      ++at_;
      substitution('`');
    } else if (c == '#' && !open_) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      flush(out);
      ++at_;
    } else if (c == '|') {
      flush(out);
      const bool either = peek(1) == '|';
      at_ += either || peek(1) == '&' ? std::size_t{2} : 1;
      if (either) return true;
      // A pipe at the end of a line goes on behind it.
      while (at_ < text_.size() && std::string_view(" \t\r\n\\").contains(text_[at_])) ++at_;
      if (out.size() < 64) out.emplace_back();
    } else if (c == '&' && peek(1) != '>') {
      flush(out);
      at_ += peek(1) == '&' ? std::size_t{2} : 1;
      return true;
    } else if (c == '\n' || c == ';' || c == '(' || c == ')' || c == '{' || c == '}') {
      const bool unknown = c == '{' && peek(1) == '}';
      const bool expansion = open_ && (c == '{' || c == '}');
      if (unknown || expansion) {
        word_.text += text_.substr(at_, unknown ? std::size_t{2} : 1);
        open_ = true;
        at_ += unknown ? std::size_t{2} : 1;
        return false;
      }
      flush(out);
      ++at_;
      return true;
    } else if (c == '>') {
      flush(out);
      at_ += peek(1) == '>' ? std::size_t{2} : 1;
      redirect_ = true;
    } else if (c == '<') {
      if (peek(1) == '<') return heredoc(out);
      flush(out);
      ++at_;
    } else {
      word_.text += c;
      open_ = true;
      ++at_;
    }
    return false;
  }

  // What stands between <<WORD and WORD is the input of the command: a script when that is a shell.
  bool heredoc(Pipeline& out) {
    flush(out);
    at_ += 2;
    while (at_ < text_.size() && std::string_view("- '\"<").contains(text_[at_])) ++at_;
    const std::size_t begin = at_;
    while (at_ < text_.size() && !std::string_view(" \t\r\n'\";|&").contains(text_[at_])) ++at_;
    const std::string mark(text_.substr(begin, at_ - begin));
    const std::size_t line = text_.find('\n', at_);
    const bool searched = !mark.empty() && line != std::string_view::npos && heredocs_++ < kMostHeredocs;
    const std::size_t length =
        searched ? text_.substr(line, kLongestHeredoc).find("\n" + mark) : std::string_view::npos;
    if (length == std::string_view::npos) return false;
    const std::size_t end = line + length;
    word_.text = "<<";
    word_.commands.emplace_back(text_.substr(line + 1, end - line - 1));
    open_ = true;
    flush(out);
    at_ = end + 1 + mark.size();
    return true;
  }

  char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void quoted(char quote) {
    open_ = true;
    // Without a partner before the end of the paragraph it is an apostrophe.
    const std::size_t close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos || text_.substr(at_, close - at_).contains("\n\n")) {
      ++at_;
      return;
    }
    ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        if (text_[at_ + 1] != '"' && text_[at_ + 1] != '$' && text_[at_ + 1] != '`' && text_[at_ + 1] != '\\')
          word_.text += '\\';
        word_.text += text_[at_ + 1];
        at_ += 2;
      } else if (quote == '"' && text_[at_] == '$' && peek(1) == '(') {
        at_ += 2;
        substitution(')');
      } else if (quote == '"' && text_[at_] == '`') {
        ++at_;
        substitution('`');
      } else {
        word_.text += text_[at_++];
      }
    }
    if (at_ < text_.size()) ++at_;
  }

  void substitution(char close) {
    open_ = true;
    const std::size_t begin = at_;
    std::size_t depth = 1;
    char quote = '\0';
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '\'' || (c == '"' && close == ')')) {
        quote = text_.find(c, at_ + 1) == std::string_view::npos ? '\0' : c;
      } else if (close == ')' && c == '(') {
        ++depth;
      } else if (c == close && --depth == 0) {
        break;
      }
      ++at_;
    }
    if (word_.commands.size() < 16) word_.commands.emplace_back(text_.substr(begin, at_ - begin));
    word_.text += "{}";
    if (at_ < text_.size()) ++at_;
  }

  void flush(Pipeline& out) {
    if (!open_ && word_.text.empty() && word_.commands.empty()) return;
    auto& list = redirect_ ? out.back().targets : out.back().words;
    if (list.size() < kMostWords) list.push_back(std::move(word_));
    word_ = {};
    open_ = false;
    redirect_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Word word_;
  bool open_ = false;
  bool redirect_ = false;
  std::size_t heredocs_ = 0;
};

// The program's name: without path and ending, in lower case.
std::string program(std::string_view word) {
  word.remove_prefix(word.find_last_of("/\\") + 1);
  std::string name = text::lower(word);
  if (name.ends_with(".exe")) name.resize(name.size() - 4);
  return name;
}

bool downloader(std::string_view name) {
  return among(name, "curl", "wget", "fetch", "aria2c", "http", "https", "lynx", "iwr", "irm", "invoke-webrequest",
               "invoke-restmethod", "wget2", "axel");
}
bool interpreter(std::string_view name) {
  return among(name, "sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "perl", "ruby", "node", "php", "powershell",
               "pwsh", "iex", "invoke-expression", "cmd", "lua", "osascript", "source", ".", "exec") ||
         name.starts_with("python");
}
bool shell(std::string_view name) { return among(name, "sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "su"); }
bool powershell(std::string_view name) { return among(name, "powershell", "pwsh"); }

std::string url_in(const Command& command) {
  for (const Word& word : command.words) {
    const std::size_t at = word.text.find("://");
    if (at == std::string::npos) continue;
    std::size_t begin = at;
    while (begin > 0 && word.text[begin - 1] >= 'a' && word.text[begin - 1] <= 'z') --begin;
    return word.text.substr(begin, word.text.find_first_of("'\") ", begin) - begin);
  }
  return {};
}

class Judge {
 public:
  Judge(int depth, std::vector<ShellAlarm>& out) : depth_(depth), out_(out) {}

  void run(std::string_view script) {
    script = script.substr(0, kMostText);
    whole_ = script;
    Splitter splitter(script);
    Pipeline pipeline;
    Range at;
    while (out_.size() < kMostAlarms && splitter.next(pipeline, at)) {
      at_ = at;
      for (Command& command : pipeline) unwrap(command);
      for (std::size_t i = 0; i < pipeline.size(); ++i) single(pipeline[i]);
      piped(pipeline);
    }
    patterns(script);
  }

 private:
  void add(std::string rule, std::string says) {
    const bool known = std::ranges::any_of(out_, [&](const ShellAlarm& a) { return a.rule == rule && a.says == says; });
    if (known || out_.size() >= kMostAlarms) return;
    out_.push_back({std::move(rule), std::move(says),
                    text::prefix(text::display(whole_.substr(at_.begin, std::min<u64>(at_.end - at_.begin, 160))), 160),
                    at_});
  }

  // Words before the program that only change how it runs; prompts and keywords of the shell.
  static void unwrap(Command& command) {
    auto& words = command.words;
    std::size_t at = 0;
    bool sudo = false;
    while (at < words.size()) {
      const std::string name = program(words[at].text);
      const bool assignment = words[at].text.find('=') != std::string::npos && words[at].text.find('=') > 0 &&
                              !words[at].text.contains('/') && !words[at].text.starts_with('-');
      const bool prefix = among(name, "sudo", "doas", "env", "nohup", "time", "command", "exec", "then", "do", "else",
                                "if", "while", "!", "$", ">", "%", "ps>", "setsid", "nice", "xargs", "start", "run",
                                "builtin", "shell", "stdbuf", "unbuffer", "{", "timeout", "&");
      if (!prefix && !assignment && !(sudo && words[at].text.starts_with('-'))) break;
      if (words[at].text.starts_with("./")) break;
      sudo = sudo || prefix;
      for (std::string& script : words[at].commands) command.assigned.push_back(std::move(script));
      ++at;
    }
    if (at < words.size()) words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void inner(std::string_view script) {
    if (depth_ >= kDeepest) return;
    std::vector<ShellAlarm> found;
    Judge(depth_ + 1, found).run(script);
    for (ShellAlarm& alarm : found) add(std::move(alarm.rule), std::move(alarm.says));
  }

  void python(std::string_view code) {
    if (depth_ >= kDeepest) return;
    for (const PythonAlarm& alarm : examine_python(code, 0, depth_ + 1).alarms)
      add(alarm.rule, fmt::format("{} {}", alarm.call, alarm.says));
  }

  // What a substitution inside a command fetches or decodes.
  enum class Supply { none, fetched, decoded };
  Supply supply(std::string_view script, std::string& url) const {
    Splitter splitter(script);
    Pipeline pipeline;
    Range at;
    Supply result = Supply::none;
    while (splitter.next(pipeline, at)) {
      for (Command& command : pipeline) {
        unwrap(command);
        if (command.words.empty()) continue;
        const std::string name = program(command.words[0].text);
        if (downloader(name)) {
          url = url_in(command);
          return Supply::fetched;
        }
        if (decodes(command)) result = Supply::decoded;
      }
    }
    return result;
  }

  static bool decodes(const Command& command) {
    if (command.words.empty()) return false;
    const std::string name = program(command.words[0].text);
    const auto has = [&](auto... options) {
      return std::ranges::any_of(command.words, [&](const Word& word) { return among(word.text, options...); });
    };
    return (name == "base64" && has("-d", "-D", "--decode", "-di", "-id")) ||
           (name == "base32" && has("-d", "--decode")) || (name == "xxd" && has("-r", "-rp")) ||
           (name == "openssl" && has("-d")) || (name == "certutil" && has("-decode", "/decode")) || name == "uudecode";
  }

  void runs(Supply supply, std::string_view url, std::string_view by) {
    if (supply == Supply::none) return;
    if (supply == Supply::decoded) {
      add("CMD002", fmt::format("{} runs what was decoded", by));
    } else if (known_installer(url)) {
      add("CMD003", fmt::format("{} runs the installer of {}", by, host_of(url)));
    } else {
      add("CMD001",
          fmt::format("{} runs what was fetched from {}", by, url.empty() ? "elsewhere" : text::display(url, 80)));
    }
  }

  void single(const Command& command) {
    for (const Word& target : command.targets) {
      if (persistent_place(target.text))
        add("CMD004", fmt::format("writes to {}, which is run later", text::display(target.text, 60)));
    }
    for (const std::string& script : command.assigned) inner(script);
    if (command.words.empty()) return;
    const auto& words = command.words;
    const std::string name = program(words[0].text);
    for (const Word& word : words) {
      for (const std::string& script : word.commands) {
        std::string url;
        const Supply what = supply(script, url);
        const bool runs_it = interpreter(name) || name == "eval";
        const bool first = &word == &words[0];
        if (runs_it || first) runs(what, url, first ? "the shell" : name);
        if (word.text == "<<") {
          if (name.starts_with("python")) {
            python(script);
          } else if (shell(name)) {
            inner(script);
          }
        } else {
          inner(script);
        }
      }
    }
    codes(words, name);
    fetches(command, name);
    executes(words, name);
    destroys(words, name);
    if (const auto pip = arguments_of_pip(words, name); !pip.empty()) {
      for (const PackageNote& note : judge_pip(pip)) {
        if (note.rule == "PKG001") add(note.rule, fmt::format("{}: {}", text::display(note.what, 80), note.says));
      }
    }
  }

  // sh -c, python -c, powershell -enc.
  void codes(const std::vector<Word>& words, std::string_view name) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string option = text::lower(words[i].text);
      const bool last = i + 1 >= words.size();
      if (shell(name) && option.starts_with('-') && option.contains('c') && !option.starts_with("--") && !last)
        inner(words[i + 1].text);
      if (name.starts_with("python") && option == "-c" && !last) python(words[i + 1].text);
      if (among(name, "node", "perl", "ruby", "php") && among(option, "-e", "-r", "--eval", "-p", "-pe") && !last)
        program_text(name, words[i + 1].text);
      if (name == "eval" || name == "cmd") inner(words[i].text);
      if (!powershell(name)) continue;
      if (option.size() >= 2 && std::string_view("-encodedcommand").starts_with(option) && option[1] == 'e' && !last) {
        add("CMD002", "PowerShell runs what is encoded");
        const PythonValue none;
        PythonValue code;
        code.text = std::make_shared<const std::string>(words[i + 1].text);
        std::string decoded = computed("base64.b64decode", none, {code}).value_or("");
        std::erase(decoded, '\0');  // UTF-16
        if (text::valid_utf8(decoded)) inner(decoded);
      }
      if (option.contains(' ')) inner(words[i].text);
    }
  }

  // node -e, perl -e, ruby -e, php -r: a program of another language in the place of a command.
  void program_text(std::string_view name, std::string_view code) {
    const auto has = [&](auto... words) { return (code.contains(words) || ...); };
    const bool starts = has("child_process", "execSync", "spawnSync");
    const bool fetched = has("http://", "https://", "fetch(") && has("eval(", "exec", "spawn", "Function(");
    if (name == "node" && starts && fetched) {
      add("CMD001", "node runs what it fetches");
    } else if (name == "node" && starts) {
      add("CMD004", "starts a program from JavaScript");
    } else if (name == "node" && has("base64") && has("eval(", "Function(")) {
      add("CMD002", "node runs what was decoded");
    } else if (name != "node" && has("Socket", "socket", "fsockopen") && has("exec", "system", "/bin/sh")) {
      add("CMD004", "gives a shell to a connection");
    }
  }

  void fetches(const Command& command, std::string_view name) {
    const auto& words = command.words;
    const std::string url = url_in(command);
    if (downloader(name) && files_.size() < kMostFiles) {
      for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i].text;
        if (among(word, "-o", "-O", "--output", "--output-document", "-OutFile", "-outfile") && i + 1 < words.size())
          files_[words[i + 1].text] = url;
        if (word.starts_with("--output=")) files_[word.substr(9)] = url;
        const bool upload = word.starts_with('@') || word.contains("=@");
        if (secret_place(word) &&
            (upload || among(words[i - 1].text, "-T", "-F", "-d", "--data", "--upload-file", "--data-binary")))
          add("CMD004", "sends files that are nobody else's business");
      }
      for (const Word& target : command.targets) files_[target.text] = url;
      // Without a name given, that of the address.
      std::string_view path = url;
      path = path.substr(0, path.find_first_of("?#"));
      path.remove_prefix(path.find_last_of('/') + 1);
      if (!url.empty() && !path.empty()) files_.emplace(std::string(path), url);
    }
    if ((name == "certutil" && !url.empty()) || name == "bitsadmin") {
      for (const Word& word : words) {
        if (files_.size() < kMostFiles && word.text.contains('.') && !word.text.contains("://"))
          files_[word.text] = url;
      }
    }
    if (among(name, "mshta", "regsvr32", "rundll32", "wmic", "msiexec") && !url.empty())
      runs(Supply::fetched, url, name);
  }

  // A file that was fetched before is run, or made to be.
  void executes(const std::vector<Word>& words, std::string_view name) {
    const auto fetched = [&](std::string_view word) -> const std::string* {
      while (word.starts_with("./")) word.remove_prefix(2);
      for (const auto& [file, url] : files_) {
        std::string_view known = file;
        while (known.starts_with("./")) known.remove_prefix(2);
        if (!known.empty() && known == word) return &url;
      }
      return nullptr;
    };
    if (const std::string* url = fetched(words[0].text)) runs(Supply::fetched, *url, "the shell");
    const bool marks = name == "chmod" && words.size() > 2 &&
                       (words[1].text.contains('x') || words[1].text.contains('7') || words[1].text.contains('5'));
    if (!interpreter(name) && !marks && !among(name, "start-process", "start", "open", "saps", "&", "chmod")) return;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string* url = fetched(words[i].text);
      if (url != nullptr && (marks || name != "chmod")) runs(Supply::fetched, *url, name);
      // What follows the script are its arguments.
      if (interpreter(name) && !words[i].text.starts_with('-')) break;
    }
  }

  void destroys(const std::vector<Word>& words, std::string_view name) {
    const auto any = [&](auto test) {
      return std::ranges::any_of(words.begin() + 1, words.end(), [&](const Word& w) { return test(w.text); });
    };
    if (name == "rm" && any([](const std::string& w) { return w.starts_with('-') && text::lower(w).contains('r'); }) &&
        any([](const std::string& w) { return precious_place(w); }))
      add("CMD004", "removes what is not the model's");
    if (name.starts_with("mkfs") || (name == "dd" && any([](const std::string& w) {
                                       return w.starts_with("of=/dev/sd") || w.starts_with("of=/dev/nvme");
                                     })))
      add("CMD004", "overwrites a disk");
    if (among(name, "nc", "ncat", "netcat") &&
        any([](const std::string& w) { return among(w, "-e", "-c", "--exec", "--sh-exec"); }))
      add("CMD004", "gives a shell to a connection");
    if (name == "socat" && any([](const std::string& w) { return text::lower(w).contains("exec:"); }))
      add("CMD004", "gives a shell to a connection");
    if (name == "crontab" && words.size() > 1 && !among(words[1].text, "-l", "-e", "-r"))
      add("CMD004", "installs a job that runs later");
    if (name == "tee" && any([](const std::string& w) { return persistent_place(w); }))
      add("CMD004", "writes to a place that is run later");
    if (name == "chmod" && any([](const std::string& w) { return among(w, "u+s", "+s", "4755", "4777", "6755"); }))
      add("CMD004", "lets a program run as its owner");
    if (among(name, "schtasks") && any([](const std::string& w) { return text::lower(w) == "/create"; }))
      add("CMD004", "installs a job that runs later");
    if (name == "reg" && any([](const std::string& w) { return text::lower(w).contains("currentversion\\run"); }))
      add("CMD004", "installs a job that runs later");
    if (name == "set-mppreference" || name == "add-mppreference") add("CMD004", "turns the virus scanner off");
  }

  static std::vector<std::string> arguments_of_pip(const std::vector<Word>& words, std::string_view name) {
    std::size_t at = 0;
    if (name.starts_with("pip") && name.size() <= 7) at = 1;
    if (name == "uv" && words.size() > 2 && words[1].text == "pip") at = 2;
    if ((name.starts_with("python") || name == "{}") && words.size() > 3 && words[1].text == "-m" &&
        words[2].text == "pip")
      at = 3;
    if (at == 0 || words.size() <= at || words[at].text != "install") return {};
    std::vector<std::string> out;
    for (std::size_t i = at + 1; i < words.size(); ++i) out.push_back(words[i].text);
    return out;
  }

  // Whether what comes through the pipe is the program, not its data: "python -m json.tool" and "bash file" have
  // theirs.
  static bool runs_its_input(const std::vector<Word>& words, std::string_view name) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string& word = words[i].text;
      if (shell(name) && word == "-s") return true;
      if (among(word, "-m", "-c", "-e", "-ne", "-pe", "-p")) return false;
      if (!word.starts_with('-') && word != "/dev/stdin") return among(name, "exec", "source", ".");
    }
    return true;
  }

  void piped(const Pipeline& pipeline) {
    Supply supplied = Supply::none;
    bool secrets = false;
    std::string url;
    std::string said;
    for (const Command& command : pipeline) {
      if (command.words.empty()) continue;
      const std::string name = program(command.words[0].text);
      if (interpreter(name) && runs_its_input(command.words, name)) {
        runs(supplied, url, name);
        if (!said.empty() && shell(name)) inner(said);
      }
      if (secrets && (downloader(name) || among(name, "nc", "ncat", "netcat", "socat")))
        add("CMD004", "sends what is nobody else's business");
      if (downloader(name) && command.words.size() > 1) {
        supplied = Supply::fetched;
        url = url_in(command);
      }
      if (decodes(command)) supplied = supplied == Supply::fetched ? supplied : Supply::decoded;
      if ((name == "echo" || (name.size() == 6 && name.starts_with("print") && name.ends_with("f"))) &&
          command.words.size() > 1)
        said = command.words.back().text;
      const auto secret = [](const Word& word) { return secret_place(word.text); };
      secrets = secrets || among(name, "env", "printenv", "history") ||
                (among(name, "cat", "tar", "zip", "gzip", "base64") && std::ranges::any_of(command.words, secret));
    }
  }

  // What is told from the text as a whole, however it is cut into words.
  void patterns(std::string_view script) {
    at_ = {0, std::min<u64>(script.size(), 160)};
    const auto seen = [&](std::string_view what) {
      const std::size_t found = script.find(what);
      if (found != std::string_view::npos) at_ = {found, std::min<u64>(script.size(), found + 120)};
      return found != std::string_view::npos;
    };
    if (seen("/dev/tcp/") || seen("/dev/udp/")) add("CMD004", "gives a shell to a connection");
    if (seen("stratum+tcp://") || seen("xmrig")) add("CMD004", "computes coins for somebody else");
    if (seen(":(){ :|:& };:") || seen(":(){:|:&};:")) add("CMD004", "starts processes without end");
    const std::string low = text::lower(script);
    const bool fetches = low.contains("downloadstring") || low.contains("downloadfile") ||
                         low.contains("net.webclient") || low.contains("invoke-webrequest") ||
                         low.contains("invoke-restmethod");
    const bool evaluates = low.contains("iex ") || low.contains("iex(") || low.contains("|iex") ||
                           low.contains("| iex") || low.contains("invoke-expression");
    if (fetches && (evaluates || low.contains("start-process"))) {
      const std::size_t at = low.find("http");
      at_ = {0, std::min<u64>(script.size(), 160)};
      const std::string_view url =
          at == std::string::npos ? std::string_view() : script.substr(at, script.find_first_of("'\") \n", at) - at);
      runs(Supply::fetched, url, "PowerShell");
    }
  }

  int depth_;
  std::vector<ShellAlarm>& out_;
  std::string_view whole_;
  Range at_;
  std::map<std::string, std::string> files_;  // fetched, and from where
};

}  // namespace

std::vector<ShellAlarm> judge_shell(std::string_view script, int depth) {
  std::vector<ShellAlarm> out;
  if (depth < kDeepest) Judge(depth, out).run(script);
  return out;
}

bool harmless_command(std::string_view command) {
  if (command.find_first_of("|;&><`$\n") != std::string_view::npos) return false;
  std::vector<std::string> words;
  Splitter splitter(command);
  Pipeline pipeline;
  Range at;
  if (splitter.next(pipeline, at)) {
    for (const Word& word : pipeline[0].words) words.push_back(word.text);
  }
  if (words.empty()) return false;
  const std::string name = program(words[0]);
  if (name == "git")
    return words.size() > 1 &&
           among(words[1], "rev-parse", "describe", "log", "status", "rev-list", "--version", "ls-files", "branch");
  if (among(name, "nvcc", "nvidia-smi", "rocm-smi", "rocminfo", "hipcc", "uname", "which", "where", "hostname", "lscpu",
            "nproc", "free", "df", "date", "ffprobe", "ldconfig", "sw_vers", "sysctl", "lsb_release"))
    return true;
  return words.size() == 2 && among(words[1], "--version", "-V", "-version", "version", "--help");
}

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,{}";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace steelyard::formats
