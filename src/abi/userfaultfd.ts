// Numbers of userfaultfd (include/uapi/linux/userfaultfd.h), and which features and operations there are here.
export const UFFD_API = 0xaa;
export const UFFD_USER_MODE_ONLY = 1;
export const UFFD_MSG_BYTES = 32;
export const UFFD_EVENT_PAGEFAULT = 0x12;
export const UFFD_PAGEFAULT_FLAG_WRITE = 1;
export const UFFD_PAGEFAULT_FLAG_MINOR = 4;

export const UFFD_FEATURE_MISSING_SHMEM = 1 << 5;
export const UFFD_FEATURE_SIGBUS = 1 << 7;
export const UFFD_FEATURE_THREAD_ID = 1 << 8;
export const UFFD_FEATURE_MINOR_SHMEM = 1 << 10;
export const UFFD_FEATURE_EXACT_ADDRESS = 1 << 11;
export const FEATURES =
  UFFD_FEATURE_MISSING_SHMEM |
  UFFD_FEATURE_SIGBUS |
  UFFD_FEATURE_THREAD_ID |
  UFFD_FEATURE_MINOR_SHMEM |
  UFFD_FEATURE_EXACT_ADDRESS;

export const REGISTER_MODES = { MISSING: 1, WP: 2, MINOR: 4 } as const;
/** UFFDIO_COPY_MODE_DONTWAKE and its like. */
export const MODE_DONTWAKE = 1;
/** WAKE, COPY, ZEROPAGE. */
export const RANGE_IOCTLS = (1 << 2) | (1 << 3) | (1 << 4);
export const RANGE_IOCTL_CONTINUE = 1 << 7;
/** UFFD_API_RANGE_IOCTLS as fdinfo shows them. */
export const RANGE_IOCTLS_ALL = 0x1fc;

export const UFFDIO_REGISTER = 0xc020aa00;
export const UFFDIO_UNREGISTER = 0x8010aa01;
export const UFFDIO_WAKE = 0x8010aa02;
export const UFFDIO_COPY = 0xc028aa03;
export const UFFDIO_ZEROPAGE = 0xc020aa04;
export const UFFDIO_CONTINUE = 0xc020aa07;
export const UFFDIO_API = 0xc018aa3f;
