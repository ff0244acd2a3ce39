// JsonSchema: whether a JSON document is valid under a JSON Schema, draft 2020-12.
//
// What isn't understood is an Error when the schema is read, never ignored: unknown keywords, those of other drafts,
// references out of the document. Understood: type, enum, const, required, properties, patternProperties,
// additionalProperties, propertyNames, minProperties, maxProperties, dependentRequired, items, prefixItems, contains,
// minContains, maxContains, minItems, maxItems, uniqueItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
// multipleOf, minLength, maxLength, pattern (base/pattern), allOf, anyOf, oneOf, not, if, then, else, $ref, $defs;
// annotations, `format` among them, decide nothing. Numbers are exact.
// Attack resisted: the document is hostile (and may be chosen to make the schema expensive), so the work is bounded: an
// answer that uses it up isn't valid. Schemas that refer to themselves without going into the document are an Error.
// Spec: JSON Schema Core and Validation 2020-12. Tested by tests/unit/json_schema_test.cpp and, against the Python
// package jsonschema, by tests/oracle/json_schema_test.py. Immutable, thread-safe.
#pragma once

#include <memory>

#include "wire/json_tree.hpp"

namespace steelyard::wire {

class JsonSchema {
 public:
  static Result<JsonSchema> read(const JsonNode& document);
  bool valid(const JsonNode& instance) const;

 private:
  struct Compiled;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace steelyard::wire
