// The C library of the system: Glibc's module, or Musl's. All sources get it from this module, so that no other file depends on which
// one it is.
#if canImport(Musl)
@_exported public import Musl
#else
@_exported public import Glibc
#endif
