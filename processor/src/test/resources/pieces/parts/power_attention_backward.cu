backward
#include "shared.cuh"
