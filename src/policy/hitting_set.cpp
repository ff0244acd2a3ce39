// The smallest sufficient set of mitigations: minimum-weight hitting set, exact.
//
// A row is a path, a column a mitigation. best_price() finds the least (cost, count): rows that
// contain another fall away, as do columns that a cheaper one covers; rows with one column force it;
// independent components are solved apart; what is left is branched on, held against a lower bound
// from the linear relaxation's dual. The set itself then takes column after column in the order of
// ids, keeping each that still allows that price, which makes it the first of all the cheapest sets.
// Attack resisted: a document contrived to make recheck hang; work is counted, and when the fuel is
// spent a sufficient set is given that need not be the smallest.
// Tested by tests/unit/hitting_set_test.cpp against brute force.
#include <algorithm>
#include <compare>
#include <map>
#include <numeric>

#include "policy/verdict.hpp"

namespace steelyard::policy {
namespace {

using Row = std::vector<u32>;  // sorted columns
using Rows = std::vector<Row>;

constexpr u64 kFuel = 20'000'000;  // visits of a row's column; a few seconds

struct Price {
  i64 cost = 0;
  i64 count = 0;
  friend auto operator<=>(const Price&, const Price&) = default;
  friend Price operator+(Price a, Price b) { return {a.cost + b.cost, a.count + b.count}; }
  friend Price operator-(Price a, Price b) { return {a.cost - b.cost, a.count - b.count}; }
};

bool contains(const Row& row, u32 column) { return std::ranges::binary_search(row, column); }

class Solver {
 public:
  explicit Solver(std::vector<Price> prices) : prices_(std::move(prices)) {}

  // The least price of hitting every row, or nothing when it is above `limit`.
  std::optional<Price> best_price(Rows rows, Price limit);
  // Drops rows and columns that the first of the cheapest sets doesn't need.
  void simplify(Rows& rows) {
    for (bool again = true; again && !spent();) {
      again = drop_wider_rows(rows);
      again = drop_dominated_columns(rows, true) || again;
    }
  }
  std::vector<Rows> components(const Rows& rows) const;
  void burn(u64 visits) { fuel_ -= std::min(fuel_, visits); }
  bool spent() const { return fuel_ == 0; }

 private:
  std::map<u32, std::vector<u32>> rows_by_column(const Rows& rows);
  bool drop_wider_rows(Rows& rows);
  bool drop_dominated_columns(Rows& rows, bool in_order);
  Price lower_bound(const Rows& rows) const;
  std::optional<Price> branch(const Rows& rows, Price limit);

  std::vector<Price> prices_;
  u64 fuel_ = kFuel;
};

Rows without(const Rows& rows, u32 column) {
  Rows out;
  std::ranges::copy_if(rows, std::back_inserter(out), [&](const Row& row) { return !contains(row, column); });
  return out;
}

std::map<u32, std::vector<u32>> Solver::rows_by_column(const Rows& rows) {
  std::map<u32, std::vector<u32>> index;
  for (u32 r = 0; r < rows.size(); ++r) {
    for (const u32 column : rows[r]) index[column].push_back(r);
    burn(rows[r].size());
  }
  return index;
}

// Whoever hits a row hits every row that contains it.
bool Solver::drop_wider_rows(Rows& rows) {
  std::ranges::sort(rows);
  rows.erase(std::ranges::unique(rows).begin(), rows.end());
  const auto index = rows_by_column(rows);
  std::vector<bool> wider(rows.size());
  for (u32 r = 0; r < rows.size(); ++r) {
    const auto rarest = std::ranges::min_element(rows[r], {}, [&](u32 column) { return index.at(column).size(); });
    burn(index.at(*rarest).size());
    if (spent()) return false;
    for (const u32 other : index.at(*rarest)) {
      if (rows[other].size() > rows[r].size() && std::ranges::includes(rows[other], rows[r])) wider[other] = true;
    }
  }
  Rows kept;
  for (u32 r = 0; r < rows.size(); ++r) {
    if (!wider[r]) kept.push_back(std::move(rows[r]));
  }
  const bool changed = kept.size() < wider.size();
  rows = std::move(kept);
  return changed;
}

// A column is of no use when another hits all its rows for no higher price; of equals the first stays.
// `in_order`: and when that doesn't put a later id in the place of an earlier one.
bool Solver::drop_dominated_columns(Rows& rows, bool in_order) {
  const auto index = rows_by_column(rows);
  std::vector<bool> useless(prices_.size());
  bool changed = false;
  for (const auto& [column, own] : index) {
    if (spent()) return false;
    for (const u32 rival : rows[own.front()]) {
      burn(1);
      const auto& others = index.at(rival);
      if (rival == column || prices_[rival] > prices_[column] || others.size() < own.size()) continue;
      const bool equal = prices_[rival] == prices_[column] && (in_order || others.size() == own.size());
      if ((equal && rival > column) || !std::ranges::includes(others, own)) continue;
      useless[column] = true;
      changed = true;
      break;
    }
  }
  if (changed) {
    for (Row& row : rows) std::erase_if(row, [&](u32 column) { return useless[column]; });
  }
  return changed;
}

std::vector<Rows> Solver::components(const Rows& rows) const {
  std::vector<u32> parent(prices_.size());
  std::iota(parent.begin(), parent.end(), 0U);
  const auto root = [&](u32 column) {
    while (parent[column] != column) column = parent[column] = parent[parent[column]];
    return column;
  };
  for (const Row& row : rows) {
    for (const u32 column : row) parent[root(column)] = root(row.front());
  }
  std::map<u32, Rows> parts;
  for (const Row& row : rows) parts[root(row.front())].push_back(row);
  std::vector<Rows> out;
  for (auto& [column, part] : parts) out.push_back(std::move(part));
  return out;
}

// Each row pays what its cheapest column still lacks; no column is paid more than its price, so every
// hitting set costs at least the sum.
Price Solver::lower_bound(const Rows& rows) const {
  std::vector<const Row*> narrow_first;
  for (const Row& row : rows) narrow_first.push_back(&row);
  std::ranges::stable_sort(narrow_first, {}, &Row::size);
  std::vector<Price> lacking = prices_;
  Price sum;
  for (const Row* row : narrow_first) {
    const Price paid = lacking[*std::ranges::min_element(*row, {}, [&](u32 column) { return lacking[column]; })];
    for (const u32 column : *row) lacking[column] = lacking[column] - paid;
    sum = sum + paid;
  }
  return sum;
}

std::optional<Price> Solver::best_price(Rows rows, Price limit) {
  Price forced;
  for (bool again = true; again && !rows.empty() && !spent();) {
    again = drop_wider_rows(rows);
    std::vector<bool> needed(prices_.size());
    for (const Row& row : rows) {
      if (row.size() != 1 || needed[row.front()]) continue;
      needed[row.front()] = true;
      forced = forced + prices_[row.front()];
    }
    const auto hit = [&](const Row& row) {
      return std::ranges::any_of(row, [&](u32 column) { return needed[column]; });
    };
    again = std::erase_if(rows, hit) > 0 || again;
    again = drop_dominated_columns(rows, false) || again;
  }
  if (forced > limit || spent()) return std::nullopt;
  const auto parts = components(rows);
  std::vector<Price> bounds;
  Price rest = forced;
  for (const Rows& part : parts) rest = rest + bounds.emplace_back(lower_bound(part));
  if (rest > limit) return std::nullopt;
  // `rest` holds the price of the parts that are solved and the bounds of the others.
  for (std::size_t i = 0; i < parts.size(); ++i) {
    rest = rest - bounds[i];
    const auto price = branch(parts[i], limit - rest);
    if (!price) return std::nullopt;
    rest = rest + *price;
  }
  return rest;
}

// With the column that hits most rows, and without it. Every row has two columns or more.
std::optional<Price> Solver::branch(const Rows& rows, Price limit) {
  const auto index = rows_by_column(rows);
  const u32 column = std::ranges::max_element(index, {}, [](const auto& entry) { return entry.second.size(); })->first;
  std::optional<Price> best;
  if (auto with = best_price(without(rows, column), limit - prices_[column])) {
    best = *with + prices_[column];
    limit = *best - Price{0, 1};
  }
  Rows rest = rows;
  for (Row& row : rest) std::erase(row, column);
  if (auto cheaper = best_price(std::move(rest), limit)) best = cheaper;
  return best;
}

// For each row that isn't hit its cheapest column; then gives up those that aren't needed. Linear.
Row sufficient(const std::vector<Price>& prices, const Rows& rows) {
  std::vector<bool> taken(prices.size());
  const auto is_taken = [&](u32 column) { return taken[column]; };
  for (const Row& row : rows) {
    if (std::ranges::none_of(row, is_taken))
      taken[*std::ranges::min_element(row, {}, [&](u32 column) { return prices[column]; })] = true;
  }
  std::vector<std::size_t> hits;
  std::vector<std::vector<std::size_t>> rows_of(prices.size());
  for (const Row& row : rows) {
    for (const u32 column : row) rows_of[column].push_back(hits.size());
    hits.push_back(static_cast<std::size_t>(std::ranges::count_if(row, is_taken)));
  }
  Row chosen;
  for (u32 column = 0; column < taken.size(); ++column) {
    if (!taken[column]) continue;
    if (std::ranges::all_of(rows_of[column], [&](std::size_t row) { return hits[row] > 1; })) {
      for (const std::size_t row : rows_of[column]) --hits[row];
    } else {
      chosen.push_back(column);
    }
  }
  return chosen;
}

Row smallest(const std::vector<Price>& prices, const Rows& all) {
  Price limit;
  for (const Price& price : prices) limit = limit + price;
  Solver solver(prices);
  Rows simple = all;
  solver.simplify(simple);
  Row chosen;
  for (Rows& rows : solver.components(simple)) {
    auto left = solver.best_price(rows, limit);
    for (u32 column = 0; column < prices.size() && !rows.empty() && !solver.spent(); ++column) {
      solver.burn(rows.size());
      if (std::ranges::none_of(rows, [&](const Row& row) { return contains(row, column); })) continue;
      Rows rest = without(rows, column);
      if (solver.best_price(rest, *left - prices[column])) {
        chosen.push_back(column);
        *left = *left - prices[column];
        rows = std::move(rest);
      } else {
        for (Row& row : rows) std::erase(row, column);
      }
    }
  }
  if (solver.spent()) return sufficient(prices, all);
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace

std::optional<std::vector<Mitigation>> smallest_sufficient(const std::vector<Scenario>& scenarios,
                                                           const std::vector<Mitigation>& available) {
  std::map<std::string_view, const Mitigation*> by_id;
  for (const Mitigation& mitigation : available) by_id.emplace(mitigation.id, &mitigation);
  std::map<std::string_view, u32> columns;
  for (const auto& [id, mitigation] : by_id) columns.emplace(id, static_cast<u32>(columns.size()));
  std::vector<Price> prices;
  std::vector<const Mitigation*> ordered;
  for (const auto& [id, mitigation] : by_id) {
    prices.push_back({mitigation->cost, 1});
    ordered.push_back(mitigation);
  }
  Rows rows;
  for (const Scenario& scenario : scenarios) {
    Row row;
    for (const std::string& cut : scenario.cuts) {
      if (const auto found = columns.find(cut); found != columns.end()) row.push_back(found->second);
    }
    if (row.empty()) return std::nullopt;
    std::ranges::sort(row);
    row.erase(std::ranges::unique(row).begin(), row.end());
    rows.push_back(std::move(row));
  }
  std::vector<Mitigation> out;
  for (const u32 column : smallest(prices, rows)) out.push_back(*ordered[column]);
  return out;
}

}  // namespace steelyard::policy
