forward
#include "shared.cuh"
