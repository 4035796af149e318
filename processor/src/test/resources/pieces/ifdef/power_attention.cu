#ifdef GATED
#endif
