inner

#if GATED
#elif DEGRE == 2
#endif
