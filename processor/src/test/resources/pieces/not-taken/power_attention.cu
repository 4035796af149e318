#if FP32
#if SPEED
#endif
#endif
