// Findings and facts about code, from what examine_python and judge_shell saw.
#pragma once

#include "formats/detail/python_code.hpp"
#include "formats/detail/shell_code.hpp"
#include "formats/item.hpp"

namespace steelyard::formats {

// Alarms as findings; calls and imports as the facts python.effects and python.imports.
void report_code(const PythonReport& found, Reporter& report);
// `offset`: where the script begins in the item's content.
void report_code(const std::vector<ShellAlarm>& found, u64 offset, Reporter& report);

}  // namespace steelyard::formats
