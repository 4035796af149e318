first
#include "inner.cuh"
