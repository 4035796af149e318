#if GATED
#else
#else
#endif
