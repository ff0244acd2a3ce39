#include "report/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/text.hpp"
#include "report/html_parts.hpp"
#include "report/view.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostRows = 40;

std::optional<double> real(const json::Value& from, const char* key) {
  const json::Value* found = from.find(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->string().c_str(), &end);
  return *end == '\0' && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

u64 whole(const json::Value& from, const char* key) {
  const json::Value* found = from.find(key);
  return found == nullptr ? 0 : found->unsigned_integer().value_or(0);
}

// `factor` 100: per cent.
Cell cell(const json::Value& row, const char* key, double factor, int decimals, const char* unit, bool sign = false) {
  Cell out{.text = "–", .value = {}, .low = {}, .high = {}};
  const json::Value* found = row.find(key);
  if (found == nullptr || !found->is_object()) return out;
  out.value = real(*found, "value");
  out.low = real(*found, "low");
  out.high = real(*found, "high");
  if (!out.value || !out.low || !out.high || *out.low > *out.high)
    return {.text = "–", .value = {}, .low = {}, .high = {}};
  out.text = fmt::format("{}{:.{}f}", sign && *out.value >= 0 ? "+" : "", *out.value * factor, decimals);
  if (*out.low < *out.high) out.text += fmt::format(" ±{:.{}f}", (*out.high - *out.low) / 2 * factor, decimals);
  out.text += unit;
  return out;
}

struct Scale {
  double from, to, begin, end;
  double operator()(double value) const { return begin + (value - from) / (to - from) * (end - begin); }
};

// Steps of 1, 2 or 5 times a power of ten, about four of them.
std::vector<double> ticks(double from, double to) {
  const double raw = (to - from) / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> out;
  for (double at = std::ceil(from / step) * step; at <= to + step / 1000 && out.size() < 12; at += step)
    out.push_back(at);
  return out;
}

std::string at(double coordinate) { return fmt::format("{:.1f}", coordinate); }

void line(html::Writer& w, double x1, double y1, double x2, double y2, const char* kind) {
  w.put("line", "", {{"x1", at(x1)}, {"y1", at(y1)}, {"x2", at(x2)}, {"y2", at(y2)}, {"class", kind}});
}

void label(html::Writer& w, double x, double y, std::string_view text, const char* anchor, const char* kind) {
  w.put("text", text, {{"x", at(x)}, {"y", at(y)}, {"text-anchor", anchor}, {"class", kind}});
}

void draw(html::Writer& w, const Comparison& all) {
  std::vector<const Compared*> points;
  double most_size = 0, most = 0;
  for (const Compared& row : all.rows) {
    if (!row.divergence.value) continue;
    points.push_back(&row);
    most_size = std::max(most_size, static_cast<double>(row.bytes) / (1 << 20));
    most = std::max(most, *row.divergence.high);
  }
  if (points.size() < 2 || most <= 0) return;
  constexpr double kWidth = 640, kHeight = 320, kLeft = 64, kRight = 20, kTop = 16, kBottom = 48;
  const Scale x{0, most_size * 1.08, kLeft, kWidth - kRight};
  const Scale y{0, most * 1.08, kHeight - kBottom, kTop};
  auto figure = w.open("figure");
  {
    auto svg = w.open("svg", {{"viewBox", fmt::format("0 0 {} {}", kWidth, kHeight)},
                              {"role", "img"},
                              {"aria-labelledby", "compared-title compared-desc"},
                              {"class", "chart"}});
    w.put("title", "Size against divergence from the reference", {{"id", "compared-title"}});
    std::string words;
    for (const Compared* one : points)
      words += fmt::format("{}{}: {}, {}", words.empty() ? "" : "; ", one->name, one->size, one->divergence.text);
    w.put("desc", words, {{"id", "compared-desc"}});
    for (const double tick : ticks(0, y.to)) {
      line(w, kLeft, y(tick), kWidth - kRight, y(tick), "grid");
      label(w, kLeft - 8, y(tick) + 4, fmt::format("{:g}", tick), "end", "tick");
    }
    for (const double tick : ticks(0, x.to))
      label(w, x(tick), kHeight - kBottom + 18, fmt::format("{:g}", tick), "middle", "tick");
    line(w, kLeft, y(0), kWidth - kRight, y(0), "axis");
    label(w, (kLeft + kWidth - kRight) / 2, kHeight - 8, "size of the file, MiB", "middle", "title");
    w.put("text", "divergence (KL), nat",
          {{"transform", fmt::format("translate(14 {}) rotate(-90)", at((kTop + kHeight - kBottom) / 2))},
           {"text-anchor", "middle"},
           {"class", "title"}});
    for (std::size_t i = 0; i < all.rows.size(); ++i) {
      const Compared& row = all.rows[i];
      if (!row.divergence.value) continue;
      const double px = x(static_cast<double>(row.bytes) / (1 << 20));
      const bool best = all.recommended == i;
      line(w, px, y(std::max(0.0, *row.divergence.low)), px, y(*row.divergence.high), "interval");
      w.put("circle", "",
            {{"cx", at(px)},
             {"cy", at(y(*row.divergence.value))},
             {"r", best ? "7" : "5"},
             {"class", best ? "best" : "point"}});
      const bool left = px > kWidth * 0.7;
      label(w, px + (left ? -11 : 11), y(*row.divergence.value) - 7, text::display(row.name, 24),
            left ? "end" : "start", best ? "name best" : "name");
    }
  }
  w.put("figcaption", "Left and low is better. Bars are intervals at 95 %.");
}

}  // namespace

std::vector<std::string> cells(const Compared& row) {
  return {row.name,           row.size,      row.memory, row.speed.text, row.divergence.text, row.perplexity.text,
          row.agreement.text, row.flips.text};
}

std::optional<Comparison> comparison(const Report& report) {
  const Fact* found = fact(report, "bench.comparison");
  if (found == nullptr || !found->value.is_object()) return std::nullopt;
  Comparison out;
  for (const json::Value& row : found->value["rows"].array()) {
    if (out.rows.size() == kMostRows) break;
    Compared one;
    one.name = shown(row["model"].string(), 60);
    one.bytes = whole(row, "bytes");
    one.size = text::human_bytes(one.bytes);
    const u64 memory = whole(row, "peak_rss");
    one.memory = memory == 0 ? "–" : text::human_bytes(memory);
    one.speed = cell(row, "generation", 1, 1, " token/s");
    one.divergence = cell(row, "kl", 1, 4, " nat");
    one.perplexity = cell(row, "perplexity", 100, 2, " %", true);
    one.agreement = cell(row, "top_agreement", 100, 1, " %");
    one.flips = cell(row, "flips", 100, 1, " %");
    out.rows.push_back(std::move(one));
  }
  if (const json::Value* index = found->value.find("recommended"); index != nullptr) {
    const auto number = index->unsigned_integer();
    if (number && *number < out.rows.size()) out.recommended = static_cast<std::size_t>(*number);
  }
  if (const json::Value* why = found->value.find("why"); why != nullptr && why->is_string())
    out.why = shown(why->string());
  return out.rows.empty() ? std::nullopt : std::optional(std::move(out));
}

void put_comparison(html::Writer& w, const Comparison& all) {
  auto section = w.open("section", {{"id", "comparison"}});
  w.put("h2", "Side by side");
  {
    auto p = w.open("p");
    w.put("strong", all.recommended ? "Take " + all.rows[*all.recommended].name : "No recommendation");
    w.text(": " + all.why + ".");
  }
  draw(w, all);
  auto scroll = scrolling(w, "Quantizations side by side");
  auto table = w.open("table", {{"class", "compared"}});
  w.put("caption",
        "Changes are against the reference, over the same windows of text: mean and half of the interval at 95 %");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const char* title : kComparedTitles) w.put("th", title, {{"scope", "col"}});
  }
  auto body = w.open("tbody");
  for (std::size_t i = 0; i < all.rows.size(); ++i) {
    auto row = w.open("tr", {{"class", all.recommended == i ? "best" : ""}});
    const auto texts = cells(all.rows[i]);
    w.put("th", texts[0], {{"scope", "row"}});
    for (std::size_t c = 1; c < texts.size(); ++c) w.put("td", texts[c], {{"class", "number"}});
  }
}

}  // namespace steelyard::report
