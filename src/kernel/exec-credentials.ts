// What a task may do after exec: set-user-id and set-group-id bits, capabilities, AT_SECURE (security/commoncap.c).
import { S_ISGID, S_ISUID, S_IXGRP } from "../abi/stat.ts";
import { ALL_CAPS, andCaps, type Credentials, NO_CAPS, orCaps } from "./credentials.ts";
import type { Task } from "./task.ts";
import type { Inode } from "./vfs/inode.ts";

const SECBIT_NOROOT = 1;
const SECBIT_KEEP_CAPS = 0x10;

/** bprm_fill_uid() and cap_bprm_creds_from_file() without file capabilities. */
export function credentialsAfterExec(
  t: Task,
  inode: Inode,
  noSuid: boolean,
): { credentials: Credentials; secure: boolean } {
  const old = t.credentials;
  let { euid, egid } = old;
  if (!noSuid && !t.noNewPrivileges) {
    if ((inode.mode & S_ISUID) !== 0) euid = inode.uid;
    if ((inode.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) egid = inode.gid;
  }
  const changed = euid !== old.euid || egid !== old.egid;
  let ambient = changed ? NO_CAPS : old.ambient;
  let permitted = ambient;
  let effective = ambient;
  if ((old.secureBits & SECBIT_NOROOT) === 0 && (euid === 0 || old.uid === 0)) {
    permitted = orCaps(old.bounding, old.inheritable);
    if (euid === 0) effective = permitted;
    else ambient = NO_CAPS;
  }
  return {
    credentials: {
      ...old,
      euid,
      suid: euid,
      fsuid: euid,
      egid,
      sgid: egid,
      fsgid: egid,
      permitted: andCaps(permitted, ALL_CAPS),
      effective: andCaps(effective, ALL_CAPS),
      ambient,
      secureBits: old.secureBits & ~SECBIT_KEEP_CAPS,
    },
    // is_setid: the program runs with other rights than its caller's real ones.
    secure: euid !== old.uid || egid !== old.gid,
  };
}
