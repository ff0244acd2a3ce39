#include "engine/answers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/sha256.hpp"
#include "io/file.hpp"

namespace steelyard::engine {
namespace {

constexpr std::size_t kKey = 64;   // hex digits
constexpr std::size_t kHead = 68;  // length and digest
constexpr std::size_t kMostEntry = std::size_t{16} << 20;

Bytes bytes_of(const std::vector<std::byte>& in) { return {in.data(), in.size()}; }

std::string text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void append(std::vector<std::byte>& out, std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  out.insert(out.end(), begin, begin + text.size());
}

std::string key_of(const Generate& request, u32 prompt) {
  Generate one = request;
  one.prefix.insert(one.prefix.end(), request.prompts[prompt].begin(), request.prompts[prompt].end());
  one.prompts.clear();
  // Without chance the seed says nothing.
  one.sampling.seed = request.sampling.temperature > 0 ? request.sampling.seed + prompt : 0;
  return sha256(bytes_of(encode(Type::generate, one)));
}

std::string key_of(const Score& request, u32 continuation) {
  Continuation one = request.continuations[continuation];
  one.context.insert(one.context.begin(), request.prefix.begin(), request.prefix.end());
  return sha256(bytes_of(encode(Type::score, Score{{}, {std::move(one)}})));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<Answers> Answers::open(const std::filesystem::path& folder, const std::string& model_sha256,
                              const std::string& engine_sha256, u32 context) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::io, fmt::format("{} can't be made: {}", folder.string(), error.message()));
  Answers out(folder / sha256(fmt::format("{} {} {}", model_sha256, engine_sha256, context)));
  if (const auto whole = io::read_text(out.path_, kMostBytes)) out.valid_ = out.take(as_bytes(*whole), 0);
  return out;
}

// Takes the entries from `begin` on; where the first that is none begins.
u64 Answers::take(Bytes all, u64 begin) {
  std::size_t at = begin;
  while (all.size() - at > kHead) {
    u32 size = 0;
    std::memcpy(&size, all.data() + at, sizeof(size));
    if (size < kKey || size > kMostEntry || size > all.size() - at - kHead) break;
    const Bytes entry = all.subspan(at + kHead, size);
    if (text(all.subspan(at + sizeof(size), kKey)) != sha256(entry)) break;
    const Bytes message = entry.subspan(kKey);
    known_[text(entry.first(kKey))].assign(message.begin(), message.end());
    at += kHead + size;
  }
  return at;
}

template <class M>
std::optional<M> Answers::get(const std::string& key) const {
  const auto found = known_.find(key);
  M message;
  if (found == known_.end() || !decode(bytes_of(found->second), message)) return std::nullopt;
  return message;
}

void Answers::put(const std::string& key, std::vector<std::byte> message) {
  message.erase(message.begin(), message.begin() + kFrameHead);
  if (message.size() > kMostEntry - kKey || !known_.try_emplace(key, message).second) return;
  std::vector<std::byte> entry;
  append(entry, key);
  entry.insert(entry.end(), message.begin(), message.end());
  const auto size = static_cast<u32>(entry.size());
  append(fresh_, std::string_view(reinterpret_cast<const char*>(&size), sizeof(size)));
  append(fresh_, sha256(bytes_of(entry)));
  fresh_.insert(fresh_.end(), entry.begin(), entry.end());
}

std::optional<Generated> Answers::find(const Generate& request, u32 prompt) const {
  auto found = get<Generated>(key_of(request, prompt));
  if (found) found->prompt = prompt;
  return found;
}

void Answers::keep(const Generate& request, u32 prompt, Generated answer) {
  answer.prompt = 0;
  answer.first_us = answer.total_us = 0;
  put(key_of(request, prompt), encode(Type::generated, answer));
}

std::optional<Scored> Answers::find(const Score& request, u32 continuation) const {
  auto found = get<Scored>(key_of(request, continuation));
  if (found) found->continuation = continuation;
  return found;
}

void Answers::keep(const Score& request, u32 continuation, const Scored& score) {
  Scored one = score;
  one.continuation = 0;
  put(key_of(request, continuation), encode(Type::scored, one));
}

Result<bool> Answers::write() {
  if (fresh_.empty()) return true;
  const Descriptor file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto failed = [&] {
    return fail(ErrorCode::io, fmt::format("{} can't be written: {}", path_.string(), std::strerror(errno)));
  };
  if (file < 0 || ::flock(file, LOCK_EX) != 0) return failed();
  // What others have added since, and not what they left torn.
  const auto whole = io::read_text(path_, kMostBytes);
  if (!whole || whole->size() < valid_) valid_ = 0;
  if (whole) valid_ = take(as_bytes(*whole), valid_);
  if (valid_ + fresh_.size() > kMostBytes) valid_ = 0;
  if (::ftruncate(file, static_cast<off_t>(valid_)) != 0) return failed();
  for (std::size_t done = 0; done < fresh_.size();) {
    const ssize_t count = ::pwrite(file, fresh_.data() + done, fresh_.size() - done, static_cast<off_t>(valid_ + done));
    if (count <= 0) return failed();
    done += static_cast<std::size_t>(count);
  }
  valid_ += fresh_.size();
  fresh_.clear();
  return true;
}

}  // namespace steelyard::engine
