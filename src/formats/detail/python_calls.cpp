#include "formats/detail/python_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/shell_code.hpp"

namespace steelyard::formats {
namespace {

using Value = PythonValue;

constexpr std::size_t kMostRecords = 512;
constexpr std::size_t kMostImports = 4096;
constexpr std::size_t kMostComputed = std::size_t{32} << 20;  // bytes of texts that are put together

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

// Not calls that do something: exceptions, constants, questions about a name.
bool idle(std::string_view path) {
  const std::string_view last = last_part(path);
  if (last.ends_with("Error") || last.ends_with("Exception") || last.ends_with("Expired") ||
      last.ends_with("Timeout") || last.ends_with("Warning"))
    return true;
  return among(path, "socket.gethostname", "socket.inet_aton", "socket.htons", "socket.ntohs",
               "urllib.request.pathname2url", "urllib.request.url2pathname", "subprocess.list2cmdline", "ctypes.sizeof",
               "ctypes.byref", "ctypes.pointer", "ctypes.cast", "ctypes.util.find_library", "types.CodeType",
               "types.LambdaType", "marshal.dump", "marshal.dumps", "requests.Session", "requests.codes") ||
         path.starts_with("requests.adapters") || path.starts_with("requests.exceptions") ||
         path.starts_with("urllib.request.Request") || path.starts_with("ctypes.c_") ||
         path.starts_with("ctypes.POINTER") || path.starts_with("ctypes.Structure") ||
         path.starts_with("ctypes.CFUNCTYPE");
}

const Value* keyword_of(const PythonCallSite& frame, std::string_view name) {
  for (const auto& [key, value] : frame.keywords) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool decodes(std::string_view path) {
  return among(path, "base64.b64decode", "base64.b32decode", "base64.b85decode", "base64.a85decode", "base64.b16decode",
               "base64.urlsafe_b64decode", "base64.standard_b64decode", "base64.decodebytes", "base64.decodestring",
               "binascii.unhexlify", "binascii.a2b_base64", "binascii.a2b_hex", "bytes.fromhex", "bytearray.fromhex",
               "zlib.decompress", "gzip.decompress", "bz2.decompress", "lzma.decompress", "codecs.decode",
               "marshal.loads") ||
         path.ends_with(".decrypt") || path.starts_with("zlib.decompressobj");
}

void environment(std::string_view path, const std::vector<Value>& arguments, Value& result) {
  const auto whole = [](const Value& value) { return canonical_name(value.path) == "os.environ"; };
  if (std::ranges::any_of(arguments, whole) && path != "isinstance") result.marks |= kSecret;
  if (among(path, "os.environ.items", "os.environ.copy", "os.environ.values", "os.environ._data"))
    result.marks |= kSecret;
}

std::string target_of(const Value& value) {
  constexpr std::size_t kLongest = 1024;
  return value.text ? value.text->substr(0, kLongest) : value.name;
}

// In a format that can run code, and not told to refuse it.
bool loads(std::string_view path, const PythonCallSite& frame) {
  const std::string_view method = last_part(path);
  if (!method.contains("load") && !method.contains("Unpickler") && !method.contains("read_pickle")) return false;
  const auto said = [&](std::string_view name, std::string_view value) {
    const Value* given = keyword_of(frame, name);
    return given != nullptr && given->name == value;
  };
  if (path == "torch.load" && said("weights_only", "True")) return false;
  if (path == "numpy.load" && !said("allow_pickle", "True")) return false;
  if (path.starts_with("yaml.")) {
    const Value* loader = frame.arguments.size() > 1 ? &frame.arguments[1] : keyword_of(frame, "Loader");
    if (path == "yaml.load" &&
        (loader == nullptr || last_part(loader->path).contains("Safe") || last_part(loader->name).contains("Safe")))
      return false;
  }
  return true;
}

}  // namespace

std::string canonical_name(std::string_view path) {
  for (const std::string_view module :
       {"os", "subprocess", "builtins", "__builtins__", "importlib", "socket", "ctypes", "shutil", "sys"}) {
    for (std::size_t at = path.rfind(module); at != std::string_view::npos && at > 0; at = path.rfind(module, at - 1)) {
      const std::size_t end = at + module.size();
      if (path[at - 1] == '.' && end < path.size() && path[end] == '.') {
        path.remove_prefix(at);
        break;
      }
    }
  }
  for (const std::string_view module : {"builtins.", "__builtins__.", "__builtins__.__dict__."}) {
    if (path.starts_with(module)) path.remove_prefix(module.size());
  }
  if (path.starts_with("__dict__.")) path.remove_prefix(9);
  while (path.ends_with(".__call__")) path.remove_suffix(9);
  return path == "io.open" || path == "codecs.open" ? "open" : std::string(path);
}

void PythonCalls::obscured(const Value& name, const std::string& path, Range at) {
  if ((name.marks & (kPieced | kDecoded)) == 0) return;
  const std::string whole = canonical_name(path);
  const Effect* effect = effect_of(whole);
  const bool module = judge_target(whole).kind == Target::Kind::harmful;
  if (effect != nullptr || module) alarm("PYC008", whole, effect != nullptr ? effect->says : "reaches the system", at);
}

void PythonCalls::compute(const std::string& path, const PythonCallSite& frame, Value& result) {
  std::size_t size = frame.base.text ? frame.base.text->size() : 0;
  for (const Value& argument : frame.arguments) size += argument.text ? argument.text->size() : 0;
  if (path.empty() || !fuel(std::min<std::size_t>(size, kMostComputed))) return;
  auto text = computed(path, frame.base, frame.arguments);
  if (!text) return;
  const bool same =
      among(path, "str.decode", "str.encode", "str.strip", "str", "os.path.expanduser", "os.path.join", "pathlib.Path");
  if (!same) result.marks |= kPieced;
  if (secret_place(*text)) result.marks |= kSecret;
  result.text = std::make_shared<const std::string>(std::move(*text));
  if (path != "pathlib.Path") result.path.clear();
  for (const Value& argument : frame.arguments) result.marks |= argument.marks & kTemplate;
  result.marks |= frame.base.marks & kTemplate;
}

bool PythonCalls::resolve(const std::string& path, const PythonCallSite& frame, Value& result, Range at) {
  const auto& arguments = frame.arguments;
  if (among(path, "__import__", "importlib.import_module", "importlib.__import__")) {
    if (arguments.empty() || arguments[0].exact() == nullptr) {
      if (!arguments.empty() && (arguments[0].marks & kTainted) != 0)
        alarm("PYC001", path, "imports a name that it decoded or fetched", at);
      return true;
    }
    result.path = *arguments[0].exact();
    result.text.reset();
    record_import(result.path, at);
    obscured(arguments[0], result.path, at);
    return true;
  }
  if (path == "getattr" && arguments.size() >= 2) {
    const std::string base = canonical_name(arguments[0].path);
    result.text.reset();
    result.path.clear();
    if (arguments[1].exact() != nullptr) {
      if (!base.empty()) result.path = base + "." + *arguments[1].exact();
      obscured(arguments[1], result.path, at);
    } else if (among(base, "os", "subprocess", "builtins", "__builtins__", "ctypes", "socket", "importlib")) {
      result.path = base + ".?";
    }
    return true;
  }
  if (path == "vars" && !arguments.empty()) {
    result.path = arguments[0].path;
    return true;
  }
  if (path == "functools.partial" && !arguments.empty()) {
    result.path = arguments[0].path;
    result.text.reset();
    return true;
  }
  if (path.ends_with(".?")) {
    alarm("PYC008", path.substr(0, path.size() - 2), "is asked for an attribute that is computed, which is called", at);
    return true;
  }
  return false;
}

void PythonCalls::files(const std::string& path, const PythonCallSite& frame, Value& result, Range at) {
  const auto& arguments = frame.arguments;
  const std::string first = arguments.empty() ? std::string() : target_of(arguments[0]);
  if (path == "open") {
    const Value* mode = arguments.size() > 1 ? &arguments[1] : keyword_of(frame, "mode");
    result.target = first;
    result.text.reset();
    const bool writes = mode != nullptr && mode->text && mode->text->find_first_of("wax+") != std::string::npos;
    if (writes) {
      result.marks &= ~(kSecret);
      if (persistent_place(first)) alarm("PYC005", "open", "writes to a place that is run later", at);
    } else {
      result.marks |= kFile;
    }
    return;
  }
  const std::string_view method = last_part(path);
  if (among(method, "write", "writelines", "write_bytes", "write_text")) {
    const std::string target = !frame.base.target.empty() ? frame.base.target : target_of(frame.base);
    const bool tainted = std::ranges::any_of(arguments, [](const Value& v) { return (v.marks & kTainted) != 0; });
    if (tainted && !target.empty() && dropped_.size() < 1024) dropped_.insert(target);
    if (method.starts_with("write_") && persistent_place(target))
      alarm("PYC005", path, "writes to a place that is run later", at);
  }
  if (among(path, "urllib.request.urlretrieve", "urllib.urlretrieve", "wget.download", "gdown.download",
            "torch.hub.download_url_to_file") &&
      arguments.size() > 1 && dropped_.size() < 1024)
    dropped_.insert(target_of(arguments[1]));
  if (among(path, "shutil.rmtree", "os.remove", "os.unlink", "os.removedirs") && precious_place(first))
    alarm("PYC005", path, "removes what is not the model's", at);
  if (among(path, "os.dup2", "pty.spawn")) {
    takes_over_ = true;
    taken_at_ = at;
  }
}

void PythonCalls::effects(const std::string& path, const PythonCallSite& frame, Value& result, Range at) {
  handed_on(path, frame, at);
  if (path == "compile" && !frame.arguments.empty()) {
    result.text = frame.arguments[0].text;
    result.path.clear();
    return;
  }
  const Value* trust = keyword_of(frame, "trust_remote_code");
  if (trust != nullptr && trust->name == "True" && !frame.arguments.empty() && frame.arguments[0].exact() != nullptr &&
      repository_name(*frame.arguments[0].exact())) {
    static const Effect kOther{"execute", "loads code of another repository"};
    record(path.empty() ? "from_pretrained" : path, kOther, frame, at);
  }
  const Effect* effect = path.empty() || idle(path) ? nullptr : effect_of(path);
  if (effect == nullptr) return;
  const auto& arguments = frame.arguments;
  u32 marks = 0;
  for (const Value& argument : arguments) marks |= argument.marks;
  for (const auto& [name, value] : frame.keywords) marks |= value.marks;
  if (effect->id == "process") return process(path, *effect, frame, marks, at);
  if (effect->id == "execute") {
    if ((marks & kTainted) != 0) {
      alarm("PYC001", path, (marks & kRemote) != 0 ? "runs code that it fetched" : "runs code that it decoded", at);
    }
    if (!arguments.empty() && arguments[0].exact() != nullptr && among(path, "exec", "eval")) {
      run_(arguments[0], at);
      return;
    }
    if (!arguments.empty() && !arguments[0].target.empty()) file(arguments[0].target, at);
    if (among(path, "runpy.run_path", "torch.ops.load_library", "torch.classes.load_library") && !arguments.empty())
      file(target_of(arguments[0]), at);
  } else if (effect->id == "deserialise") {
    if (!loads(path, frame)) return;
    // torch.load and numpy.load refuse code today unless they are told not to.
    const bool refuses = among(path, "torch.load", "numpy.load");
    if ((marks & kTainted) != 0 && !refuses)
      alarm("PYC001", path, "loads an object that it fetched or decoded, in a format that runs code", at);
  } else if (effect->id == "network") {
    if (path.starts_with("socket.")) {
      sockets_ = true;
      result.marks |= kRemote;
    }
    if ((marks & kSecret) != 0)
      alarm("PYC002", path, "sends what it read from secret places or the whole environment", at);
    result.marks |= kRemote;
  } else if (effect->id == "native") {
    const std::string_view method = last_part(path);
    if (among(method, "system", "popen", "execve", "execv", "execl", "execvp", "posix_spawn")) {
      static const Effect kProcess{"process", "starts a program"};
      return process(path, kProcess, frame, marks, at);
    }
    if (among(method, "VirtualAlloc", "VirtualProtect", "RtlMoveMemory", "CreateThread", "CreateRemoteThread",
              "WriteProcessMemory", "mprotect"))
      alarm("PYC012", path, "makes memory executable and fills it", at);
    if (!arguments.empty() && among(method, "CDLL", "LoadLibrary", "PyDLL", "WinDLL")) {
      if (dropped_.contains(target_of(arguments[0])))
        alarm("PYC003", path, "loads a library that it fetched or decoded", at);
      file(target_of(arguments[0]), at);
    }
  } else if (!among(effect->id, "files", "delete")) {
    return;
  }
  record(path, *effect, frame, at);
}

void PythonCalls::process(const std::string& path, const Effect& effect, const PythonCallSite& frame, u32 marks,
                          Range at) {
  const auto& arguments = frame.arguments;
  if ((marks & kTainted) != 0)
    alarm("PYC003", path, (marks & kRemote) != 0 ? "runs what it fetched" : "runs what it decoded", at);
  if (const Value* input = keyword_of(frame, "stdin"); input != nullptr && input->path.starts_with("socket."))
    alarm("PYC007", path, "gives a shell to a connection", at);
  std::string command;
  for (const Value& argument : arguments) {
    if (argument.text) command += (command.empty() ? "" : " ") + *argument.text;
    for (const Value& item : argument.items()) {
      if (dropped_.contains(target_of(item))) alarm("PYC003", path, "runs a file that it fetched or decoded", at);
      if (command.size() < 65'536)
        command += (command.empty() ? "" : " ") + shell_quoted(item.text ? *item.text : "{}");
    }
    if (dropped_.contains(target_of(argument))) alarm("PYC003", path, "runs a file that it fetched or decoded", at);
  }
  for (const std::string& target : dropped_) {
    if (target.size() >= 4 && command.contains(target)) {
      alarm("PYC003", path, "runs a file that it fetched or decoded", at);
      break;
    }
  }
  if (!command.empty() && fuel(command.size())) {
    for (const ShellAlarm& found : judge_shell(command, frame.depth + 1)) alarm(found.rule, path, found.says, at);
    if (harmless_command(command)) return;
  }
  record(path, effect, frame, at, command);
  const Value* shell = keyword_of(frame, "shell");
  if (shell != nullptr && shell->name == "True" && !out_.calls.empty()) out_.calls.back().shell = true;
}

void PythonCalls::handed_on(const std::string& path, const PythonCallSite& frame, Range at) {
  if (among(path, "isinstance", "issubclass", "hasattr", "getattr", "super", "type")) return;
  const auto check = [&](const Value& value) {
    if (value.path.empty() || value.path.ends_with("()")) return;
    const std::string name = canonical_name(value.path);
    const Effect* effect = idle(name) ? nullptr : effect_of(name);
    if (effect == nullptr || !among(effect->id, "process", "execute")) return;
    const char last = last_part(name).empty() ? '\0' : last_part(name)[0];
    if (last >= 'A' && last <= 'Z' && name != "subprocess.Popen") return;  // a class or constant
    record(name, *effect, frame, at);
  };
  for (const Value& value : frame.arguments) check(value);
  for (const auto& [name, value] : frame.keywords) check(value);
}

void PythonCalls::file(const std::string& name, Range at) {
  if (name.empty() || name.contains('{') || out_.files.size() >= kMostRecords) return;
  out_.files.emplace_back(text::prefix(text::display(name), 256), at);
}

void PythonCalls::record(const std::string& path, const Effect& effect, const PythonCallSite& frame, Range at,
                         std::string_view command) {
  if (out_.calls.size() >= kMostRecords) {
    out_.cut = true;
    return;
  }
  std::string argument = text::prefix(text::display(command.substr(0, 480)), 120);
  for (const Value& value : frame.arguments) {
    if (argument.empty() && value.text) argument = text::prefix(text::display(*value.text), 120);
  }
  out_.calls.push_back({text::prefix(text::display(path), 120), effect.id, effect.says, argument, frame.when,
                        frame.function, false, at});
}

void PythonCalls::called_on_import() {
  std::set<std::string> reached;
  std::vector<std::string> open = {""};
  while (!open.empty()) {
    const auto callees = callees_.find(open.back());
    open.pop_back();
    if (callees == callees_.end()) continue;
    for (const std::string& name : callees->second) {
      if (reached.insert(name).second) open.push_back(name);
    }
  }
  for (PythonCall& call : out_.calls) {
    if (call.when == PythonCall::When::call && reached.contains(call.function)) call.when = PythonCall::When::import;
  }
}

void PythonCalls::finish() {
  called_on_import();
  if (sockets_ && takes_over_) alarm("PYC007", "os.dup2", "gives a shell to a connection", taken_at_);
}

void PythonCalls::record_import(const std::string& module, Range at) {
  PythonImport entry{text::prefix(module, 256), at};
  if (std::ranges::find(out_.imports, entry) != out_.imports.end()) return;
  if (out_.imports.size() >= kMostImports) {
    out_.cut = true;
  } else {
    out_.imports.push_back(std::move(entry));
  }
}

void PythonCalls::alarm(std::string rule, std::string_view call, std::string_view says, Range at) {
  if (out_.alarms.size() >= kMostRecords) {
    out_.cut = true;
    return;
  }
  out_.alarms.push_back({std::move(rule), text::prefix(text::display(call), 120), std::string(says), at});
}

void PythonCalls::reduces_to(const Value& value, Range at) {
  if (value.items().empty()) return;
  const Value& first = value.items()[0];
  const Effect* effect = first.path.empty() ? nullptr : effect_of(canonical_name(first.path));
  if (effect != nullptr && among(effect->id, "process", "execute", "import", "reach"))
    alarm("PYC010", canonical_name(first.path), effect->says, at);
}

bool PythonCalls::fuel(std::size_t bytes) {
  if (bytes > kMostComputed - computed_) {
    out_.cut = true;
    return false;
  }
  computed_ += bytes;
  return true;
}

PythonValue PythonCalls::called(const PythonCallSite& frame) {
  const Range at = frame.at;
  const std::string path = canonical_name(frame.base.path);
  const auto& arguments = frame.arguments;
  constexpr std::size_t kMostEdges = 20'000;
  const auto calls = [&](const Value& value) {
    if (!value.path.empty() || value.name.empty() || frame.when == PythonCall::When::main || edges_ >= kMostEdges)
      return;
    if (callees_[frame.when == PythonCall::When::import ? "" : frame.function].insert(value.name).second) ++edges_;
  };
  calls(frame.base);
  // Given to somebody who calls it at once, or later.
  if (among(path, "threading.Thread", "threading.Timer", "multiprocessing.Process", "atexit.register")) {
    for (const Value& value : arguments) calls(value);
    for (const auto& [name, value] : frame.keywords) calls(value);
  }
  Value result;
  if (!path.empty() && path.size() < 512) result.path = path + "()";
  result.marks = frame.base.marks;
  for (const Value& argument : arguments) result.marks |= argument.marks & ~kTemplate;
  for (const auto& [name, value] : frame.keywords) result.marks |= value.marks & ~kTemplate;
  if (path == "str.format") result.marks |= kTemplate;
  compute(path, frame, result);
  if (decodes(path)) result.marks |= kDecoded;
  environment(path, arguments, result);
  if (resolve(path, frame, result, at)) return result;
  files(path, frame, result, at);
  effects(path, frame, result, at);
  return result;
}

}  // namespace steelyard::formats
