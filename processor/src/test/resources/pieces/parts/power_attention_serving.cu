serving
#include "shared.cuh"
