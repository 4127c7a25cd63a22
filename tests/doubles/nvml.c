/* A simulated GPU: the part of NVML that a worker uses. Environment variables set its answers. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute_instance; } process_info;

static unsigned long long said(const char *name) { const char *text = getenv(name); return text ? strtoull(text, 0, 10) : 0; }

int nvmlInit_v2(void) { return (int) said("NVML_REFUSES"); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *) (size_t) (index + 1); return index > 3; }

int nvmlDeviceGetHandleByUUID(const char *name, void **device) { *device = (void *) 9; return strncmp(name, "GPU-", 4); }

int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    strncpy(name, device == (void *) 3 ? "the third" : "a GPU", length);
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_info *found) {
    process_info all[] = {{(unsigned) getpid(), said("NVML_OWN"), 0, 0}, {1, 1ULL << 40, 0, 0}};
    *count = 2;
    memcpy(found, all, sizeof all);
    return device == 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *spent) {
    static unsigned long long millijoules = 1000;
    *spent = millijoules += 2500;
    return device == 0;
}
