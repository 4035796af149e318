nested before, kDegree and kBytes
#include "twice.cuh"
nested after
