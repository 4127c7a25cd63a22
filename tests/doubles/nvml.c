/* A simulated GPU: the part of NVML that nvidia-ml-py calls for a worker. Environment variables set its answers. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute_instance; } process_info;

static unsigned long long said(const char *name) { const char *text = getenv(name); return text ? strtoull(text, 0, 10) : 0; }

int nvmlInitWithFlags(unsigned flags) { return flags ? NOT_SUPPORTED : (int) said("NVML_REFUSES"); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *) (size_t) (index + 1);
    return index > 3 ? NOT_FOUND : SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *name, void **device) {
    *device = (void *) 9;
    return strncmp(name, "GPU-", 4) ? NOT_FOUND : SUCCESS;
}

int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    strncpy(name, device == (void *) 3 ? "the third" : "a GPU", length);
    return SUCCESS;
}

/* As the driver does: a call without room for all processes only says how many there are. */
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_info *found) {
    process_info all[] = {{(unsigned) getpid(), said("NVML_OWN"), 0, 0}, {1, 1ULL << 40, 0, 0}};
    unsigned room = *count;
    if (said("NVML_COUNTS_NOTHING")) return NOT_SUPPORTED;
    *count = 2;
    if (room < 2) return INSUFFICIENT_SIZE;
    memcpy(found, all, sizeof all);
    return device ? SUCCESS : NOT_FOUND;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *spent) {
    static unsigned long long millijoules = 1000;
    if (said("NVML_COUNTS_NOTHING")) return NOT_SUPPORTED;
    *spent = millijoules += 2500;
    return device ? SUCCESS : NOT_FOUND;
}
