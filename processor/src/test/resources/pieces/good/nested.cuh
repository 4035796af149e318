nested before
#include "twice.cuh"
nested after
