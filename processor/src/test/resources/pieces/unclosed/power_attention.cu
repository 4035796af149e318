#if GATED
#if FP32
#endif
last
