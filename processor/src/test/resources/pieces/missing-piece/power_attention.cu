#if GATED
#include "absent.cuh"
#endif
