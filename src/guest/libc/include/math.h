/* What the hart has an instruction for, and the tests of a double's kind. */
#pragma once
static inline double fabs(double x) { return __builtin_fabs(x); }
static inline double sqrt(double x) { double y; __asm__("fsqrt.d %0, %1" : "=f"(y) : "f"(x)); return y; }
static inline double fma(double x, double y, double z) { double w; __asm__("fmadd.d %0, %1, %2, %3" : "=f"(w) : "f"(x), "f"(y), "f"(z)); return w; }
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define signbit(x) __builtin_signbit(x)
#define INFINITY __builtin_inf()
#define NAN __builtin_nan("")
