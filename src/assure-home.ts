import { homedir, userInfo } from 'node:os';

// Packages ask for the user's home folder and shell as soon as they are loaded, and all ends there when the system
// has no entry for the user, as in a container that runs under a mere number.
try {
  homedir();
} catch {
  process.env.HOME = '/';
}
try {
  userInfo();
} catch {
  process.env.SHELL ??= '/bin/sh';
}
