#include "bench/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace steelyard::bench {
namespace {

constexpr double kZ = 1.959963984540054;  // 95 %, both sides
constexpr double kLargest = 1e12;
constexpr std::size_t kFewest = 6;  // values whose range covers the median in more than 95 of 100 cases

// Indices of sorted values between which the median lies in at least 95 of 100 cases, as close together as may be.
std::pair<std::size_t, std::size_t> median_interval(std::size_t count) {
  std::size_t low = 0;
  double term = std::pow(0.5, static_cast<double>(count));  // that exactly `low` values are below it
  double outside = term;                                    // that at most `low` are
  while (count >= kFewest) {
    term *= static_cast<double>(count - low) / static_cast<double>(low + 1);
    if (2 * (outside + term) > 0.05) break;
    outside += term;
    ++low;
  }
  return {low, count - 1 - low};
}

void give(Measurement& out, double low, double high, const char* method) {
  out.interval = {decimal(low), decimal(high)};
  out.level = "0.95";
  out.interval_method = method;
}

}  // namespace

std::string decimal(double value) {
  if (!std::isfinite(value) || std::abs(value) >= kLargest) return "0";
  std::string text = fmt::format("{:.6f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

Measurement median(std::vector<double> values) {
  Measurement out;
  out.n = values.size();
  if (values.empty()) return out;
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  out.value = decimal(values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2);
  const auto [low, high] = median_interval(values.size());
  const bool certain = values.size() >= kFewest;
  give(out, values[low], values[high], certain ? "order statistics" : "range");
  if (!certain) out.level.clear();
  return out;
}

double spread(const std::vector<double>& values) {
  const Measurement one = median(values);
  const double middle = values.empty() ? 0 : std::stod(one.value);
  return middle > 0 ? (std::stod(one.interval[1]) - std::stod(one.interval[0])) / 2 / middle : 0;
}

Measurement share(u64 right, u64 n) {
  Measurement out;
  out.n = n;
  out.unit = "1";
  if (n == 0) return out;
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(right) / count;
  const double middle = (p + kZ * kZ / (2 * count)) / (1 + kZ * kZ / count);
  const double half = kZ / (1 + kZ * kZ / count) * std::sqrt(p * (1 - p) / count + kZ * kZ / (4 * count * count));
  out.value = decimal(p);
  give(out, std::clamp(middle - half, 0.0, p), std::clamp(middle + half, p, 1.0), "wilson");
  return out;
}

Measurement mean(const std::vector<double>& values) {
  Measurement out;
  out.n = values.size();
  out.unit = "1";
  if (values.empty()) return out;
  const auto count = static_cast<double>(values.size());
  const double middle = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double square = 0;
  for (const double value : values) square += (value - middle) * (value - middle);
  const double half = values.size() > 1 ? kZ * std::sqrt(square / (count - 1) / count) : 0;
  out.value = decimal(middle);
  give(out, middle - half, middle + half, "normal");
  return out;
}

}  // namespace steelyard::bench
