// The header is all.
#include "CProcessor.h"
