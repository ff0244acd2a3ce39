# Registries from the tree: adding a file adds the thing. Nobody keeps a list by hand.
set(generated_dir ${CMAKE_BINARY_DIR}/generated)
set(generated_sources)
set(generated_cli_sources)

# steelyard_registry(folder type suffix namespace function header output_list)
# Each src/<folder>/*.cpp whose text defines <stem>_<suffix> is an entry.
function(steelyard_registry folder type suffix namespace function header output)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp)
  set(declarations "")
  set(entries "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    file(STRINGS ${file} defines REGEX "const ${type} ${stem}_${suffix}[ {=]" LIMIT_COUNT 1)
    if(defines)
      string(APPEND declarations "extern const ${type} ${stem}_${suffix};\n")
      string(APPEND entries "    &${stem}_${suffix},\n")
    endif()
  endforeach()
  string(REPLACE "/" "_" name ${folder})
  set(count_guard "")
  file(CONFIGURE OUTPUT ${generated_dir}/registry_${name}.cpp @ONLY CONTENT
"// Generated from src/@folder@/*.cpp by cmake/generate.cmake.
#include <array>

#include \"@header@\"

namespace @namespace@ {

@declarations@
std::span<const @type@* const> @function@() {
  static const auto entries = std::to_array<const @type@*>({
@entries@  });
  return entries;
}

}  // namespace @namespace@
")
  set(${output} ${${output}} ${generated_dir}/registry_${name}.cpp PARENT_SCOPE)
endfunction()

steelyard_registry(formats Format format steelyard::formats all formats/format.hpp generated_sources)
steelyard_registry(stores Store store steelyard::stores all stores/store.hpp generated_sources)
steelyard_registry(policy/kinds Kind kind steelyard::policy kinds policy/kind.hpp generated_sources)
steelyard_registry(report Renderer renderer steelyard::report all report/renderer.hpp generated_sources)
steelyard_registry(cli Command command steelyard::cli commands cli/command.hpp generated_cli_sources)

# The engine's worker is compiled by `steelyard stack build`, against the llama.cpp that it built: its files,
# the project headers that they include, and the sources beside those headers go into the program as text.
file(GLOB engine_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} src/engine/worker/*)
set(pending ${engine_files})
while(pending)
  list(POP_FRONT pending file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
  file(STRINGS ${CMAKE_SOURCE_DIR}/${file} includes REGEX "^#include \"")
  foreach(line ${includes})
    string(REGEX REPLACE "^#include \"([^\"]*)\".*" "src/\\1" header "${line}")
    string(REGEX REPLACE "[.]hpp$" ".cpp" beside "${header}")
    foreach(needed ${header} ${beside})
      if(EXISTS ${CMAKE_SOURCE_DIR}/${needed} AND NOT needed IN_LIST engine_files)
        list(APPEND engine_files ${needed})
        list(APPEND pending ${needed})
      endif()
    endforeach()
  endforeach()
endwhile()

# data/ as read-only bytes inside the program, by .incbin (a literal of this size compiles slowly).
file(GLOB_RECURSE data_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/data data/*.toml data/*.json data/*.css data/stack/*)
list(REMOVE_DUPLICATES data_files)
list(TRANSFORM engine_files PREPEND "engine/")
list(APPEND data_files ${engine_files})
list(SORT data_files)
set(data_assembly "")
set(data_externs "")
set(data_entries "")
set(data_paths "")
set(index 0)
foreach(file ${data_files})
  set(path ${CMAKE_SOURCE_DIR}/data/${file})
  if(file MATCHES "^engine/")
    string(REGEX REPLACE "^engine/" "${CMAKE_SOURCE_DIR}/" path "${file}")
  endif()
  string(APPEND data_assembly "asm(\".section .rodata\\n.global sy_data_${index}\\nsy_data_${index}:\\n.incbin \\\"${path}\\\"\\n.global sy_data_end_${index}\\nsy_data_end_${index}:\\n.byte 0\\n.previous\\n\");\n")
  string(APPEND data_externs "extern \"C\" const char sy_data_${index}, sy_data_end_${index};\n")
  string(APPEND data_entries "      {\"${file}\", {&sy_data_${index}, static_cast<std::size_t>(&sy_data_end_${index} - &sy_data_${index})}},\n")
  list(APPEND data_paths ${path})
  math(EXPR index "${index} + 1")
endforeach()
file(CONFIGURE OUTPUT ${generated_dir}/embedded.cpp @ONLY CONTENT
"// Generated from data/ by cmake/generate.cmake.
#include \"base/embedded.hpp\"

#include <algorithm>
#include <array>

@data_externs@
@data_assembly@
namespace steelyard::embedded {

std::span<const File> files() {
  static const std::array<File, @index@> entries = {{
@data_entries@  }};
  return entries;
}

std::span<const File> under(std::string_view prefix) {
  const auto begin = std::ranges::lower_bound(files(), prefix, {}, &File::path);
  const auto end = std::ranges::find_if_not(begin, files().end(), [&](const File& f) { return f.path.starts_with(prefix); });
  return {begin, end};
}

std::string_view find(std::string_view path) {
  const auto found = std::ranges::lower_bound(files(), path, {}, &File::path);
  return found != files().end() && found->path == path ? found->text : std::string_view();
}

}  // namespace steelyard::embedded
")
set_source_files_properties(${generated_dir}/embedded.cpp PROPERTIES OBJECT_DEPENDS "${data_paths}")
list(APPEND generated_sources ${generated_dir}/embedded.cpp)
