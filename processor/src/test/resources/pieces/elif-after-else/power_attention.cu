#if GATED
#else
#elif BF16
#endif
