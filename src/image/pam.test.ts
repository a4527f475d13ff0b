// /etc/pam.d/common-* as pam-auth-update writes them.
import { expect, test } from "vitest";
import { commonPamFile } from "./pam.ts";

const UNIX = `Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_unix.so nullok try_first_pass
Auth-Initial:
	[success=end default=ignore]	pam_unix.so nullok
Session-Type: Additional
Session:
	required	pam_unix.so
`;
const OFF = "Name: Homes\nDefault: no\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional\tpam_mkhomedir.so\n";
const SYSTEMD = `Name: Register user sessions
Default: yes
Priority: 0
Session-Interactive-Only: yes
Session-Type: Additional
Session:
	optional	pam_systemd.so
`;
const DIRECTORY = `Name: Directory
Default: yes
Priority: 128
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_ldap.so use_first_pass
`;
const AUTH = `# here are the per-package modules (the "Primary" block)
$auth_primary
auth	requisite			pam_deny.so
auth	required			pam_permit.so
$auth_additional
# end of pam-auth-update config
`;

test("the Unix profile alone", () => {
  expect(commonPamFile("auth", AUTH, [UNIX, OFF])).toBe(`# here are the per-package modules (the "Primary" block)
auth	[success=1 default=ignore]	pam_unix.so nullok
auth	requisite			pam_deny.so
auth	required			pam_permit.so
# end of pam-auth-update config
`);
  const session = "$session_primary\nsession\trequisite\tpam_deny.so\n$session_additional\n";
  expect(commonPamFile("session", session, [OFF, UNIX])).toBe(
    "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\tpam_deny.so\nsession\trequired\tpam_unix.so\n",
  );
});

test("by priority; later ones are not the first, and success jumps over what is left", () => {
  expect(commonPamFile("auth", AUTH, [DIRECTORY, UNIX]).split("\n").slice(1, 4)).toEqual([
    "auth	[success=2 default=ignore]	pam_unix.so nullok",
    "auth	[success=1 default=ignore]	pam_ldap.so use_first_pass",
    "auth	requisite			pam_deny.so",
  ]);
});

test("profiles for interactive sessions only", () => {
  const session = "$session_nonint_additional\n";
  expect(commonPamFile("session-noninteractive", session, [SYSTEMD, UNIX])).toBe("session\trequired\tpam_unix.so\n");
  expect(commonPamFile("session", "$session_additional\n", [SYSTEMD, UNIX])).toBe(
    "session\trequired\tpam_unix.so\nsession\toptional\tpam_systemd.so\n",
  );
});
