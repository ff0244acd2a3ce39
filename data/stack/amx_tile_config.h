/* g++ 12's _tile_loadconfig() tells the compiler that the instruction reads 8 bytes; it reads 64. The stores that
   fill the rest are then removed, and ldtilecfg faults on what is left. With the whole operand they stay. */
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
struct steelyard_tile_config {
  char bytes[64];
};
#define _tile_loadconfig(config) \
  __asm__ volatile("ldtilecfg\t%X0" : : "m"(*(const struct steelyard_tile_config*)(const void*)(config)))
#endif
