fine
fine
#elif GATED
