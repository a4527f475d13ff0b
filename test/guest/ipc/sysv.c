// System V semaphores, message queues and shared memory, and POSIX message queues.
#include "ipc.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static int op(int id, int n, int v, int f) {
  struct sembuf b = {n, v, f};
  return semop(id, &b, 1);
}

static void semaphores(void) {
  int id = OK("semget", semget(IPC_PRIVATE, 3, 0600 | IPC_CREAT));
  union semun u = {.val = 2};
  R("setval", semctl(id, 0, SETVAL, u));
  R("getval", semctl(id, 0, GETVAL));
  R("down", op(id, 0, -1, 0));
  R("getpid", semctl(id, 0, GETPID) == getpid());
  R("down2", op(id, 0, -2, IPC_NOWAIT));
  R("efbig", op(id, 3, -1, IPC_NOWAIT));
  unsigned short a[3] = {5, 6, 7};
  u.array = a;
  R("setall", semctl(id, 0, SETALL, u));
  struct sembuf two[2] = {{0, -5, IPC_NOWAIT}, {1, -7, IPC_NOWAIT}};
  R("atomic", semop(id, two, 2));
  memset(a, 0, sizeof a);
  R("getall", semctl(id, 0, GETALL, u));
  printf("%d %d %d\n", a[0], a[1], a[2]);
  R("erange", op(id, 0, 32767, 0));
  u.val = 40000;
  R("setval-range", semctl(id, 0, SETVAL, u));
  struct semid_ds d;
  u.buf = &d;
  R("stat", semctl(id, 0, IPC_STAT, u));
  printf("nsems=%d mode=%o uid=%d otime=%d ctime=%d\n", (int)d.sem_nsems, d.sem_perm.mode, d.sem_perm.uid == getuid(), d.sem_otime != 0, d.sem_ctime != 0);
  pid_t c = fork();
  if (c == 0) {
    op(id, 2, -7, SEM_UNDO);
    _exit(semctl(id, 2, GETVAL) == 0 ? 0 : 1);
  }
  int s;
  waitpid(c, &s, 0);
  printf("undo child=%d value=%d\n", WEXITSTATUS(s), semctl(id, 2, GETVAL));
  c = fork();
  if (c == 0) _exit(op(id, 0, -9, 0) == 0 ? 7 : 8);
  while (semctl(id, 0, GETNCNT) == 0) msleep(1);
  R("ncnt", semctl(id, 0, GETNCNT));
  R("up", op(id, 0, 4, 0));
  waitpid(c, &s, 0);
  printf("woken=%d left=%d\n", WEXITSTATUS(s), semctl(id, 0, GETVAL));
  c = fork();
  if (c == 0) _exit(op(id, 1, 0, 0) == -1 && errno == EIDRM ? 3 : 4);
  while (semctl(id, 1, GETZCNT) == 0) msleep(1);
  struct timespec t = {0, 20000000};
  struct sembuf b = {0, -100, 0};
  R("timed", semtimedop(id, &b, 1, &t));
  R("rmid", semctl(id, 0, IPC_RMID));
  waitpid(c, &s, 0);
  printf("eidrm=%d\n", WEXITSTATUS(s));
  R("gone", op(id, 0, 1, 0));
  R("nsems0", semget(IPC_PRIVATE, 0, 0600));
  key_t k = 0x1234567;
  int q = OK("key", semget(k, 2, 0600 | IPC_CREAT | IPC_EXCL));
  R("excl", semget(k, 2, 0600 | IPC_CREAT | IPC_EXCL));
  R("same", semget(k, 1, 0) == q);
  R("too-many", semget(k, 3, 0));
  semctl(q, 0, IPC_RMID);
  R("enoent", semget(k, 1, 0));
  R("e2big", semop(q, &b, 501));
}

struct message { long type; char text[200]; };

static void queues(void) {
  int id = OK("msgget", msgget(IPC_PRIVATE, 0600 | IPC_CREAT));
  struct message m = {3, "three"};
  R("snd", msgsnd(id, &m, 6, 0));
  m.type = 1;
  strcpy(m.text, "one");
  R("snd", msgsnd(id, &m, 4, 0));
  m.type = 2;
  strcpy(m.text, "two!");
  R("snd", msgsnd(id, &m, 5, 0));
  m.type = 0;
  R("type0", msgsnd(id, &m, 5, 0));
  R("nomsg", msgrcv(id, &m, 200, 9, IPC_NOWAIT));
  R("e2big", msgrcv(id, &m, 2, 1, 0));
  R("noerror", msgrcv(id, &m, 2, 1, MSG_NOERROR));
  printf("type=%ld %.2s\n", m.type, m.text);
  R("lowest", msgrcv(id, &m, 200, -5, 0));
  printf("type=%ld %s\n", m.type, m.text);
  struct msqid_ds d;
  R("stat", msgctl(id, IPC_STAT, &d));
  printf("qnum=%d qbytes=%d cbytes=%d lspid=%d\n", (int)d.msg_qnum, (int)d.msg_qbytes, (int)d.__msg_cbytes, d.msg_lspid == getpid());
  R("any", msgrcv(id, &m, 200, 0, 0));
  R("too-big", msgsnd(id, &m, 9000, IPC_NOWAIT));
  pid_t c = fork();
  if (c == 0) {
    struct message x;
    int n = msgrcv(id, &x, 200, 5, 0);
    _exit(n);
  }
  msleep(20);
  m.type = 4;
  msgsnd(id, &m, 1, 0);
  m.type = 5;
  msgsnd(id, &m, 11, 0);
  int s;
  waitpid(c, &s, 0);
  printf("child=%d\n", WEXITSTATUS(s));
  int n = 0;
  while (msgsnd(id, &m, 200, IPC_NOWAIT) == 0) n++;
  printf("fits=%d %s\n", n, ename(errno));
  c = fork();
  if (c == 0) _exit(msgsnd(id, &m, 200, 0) == -1 && errno == EIDRM ? 5 : 6);
  msleep(20);
  R("rmid", msgctl(id, IPC_RMID, 0));
  waitpid(c, &s, 0);
  printf("eidrm=%d\n", WEXITSTATUS(s));
}

static void shared(void) {
  int id = OK("shmget", shmget(IPC_PRIVATE, 5000, 0640 | IPC_CREAT));
  char *a = shmat(id, 0, 0), *b = shmat(id, 0, SHM_RDONLY);
  strcpy(a, "shared");
  printf("%s\n", b);
  struct shmid_ds d;
  R("stat", shmctl(id, IPC_STAT, &d));
  printf("segsz=%d nattch=%d mode=%o cpid=%d lpid=%d atime=%d dtime=%d\n", (int)d.shm_segsz, (int)d.shm_nattch, d.shm_perm.mode,
         d.shm_cpid == getpid(), d.shm_lpid == getpid(), d.shm_atime != 0, d.shm_dtime != 0);
  pid_t c = fork();
  if (c == 0) {
    strcpy(a + 100, "from child");
    _exit(0);
  }
  waitpid(c, 0, 0);
  printf("%s\n", b + 100);
  d.shm_perm.mode = 0600;
  R("set", shmctl(id, IPC_SET, &d));
  R("rmid", shmctl(id, IPC_RMID, 0));
  shmctl(id, IPC_STAT, &d);
  printf("mode=%o key=%d\n", d.shm_perm.mode, (int)d.shm_perm.__key);
  R("dt", shmdt(a));
  R("dt", shmdt(b));
  R("gone", shmctl(id, IPC_STAT, &d));
  R("size0", shmget(IPC_PRIVATE, 0, 0600));
  R("bad-id", (long)shmat(-1, 0, 0));
  key_t k = 0x7654321;
  id = OK("key", shmget(k, 4096, 0600 | IPC_CREAT | IPC_EXCL));
  R("bigger", shmget(k, 8192, 0600));
  R("excl", shmget(k, 4096, 0600 | IPC_CREAT | IPC_EXCL));
  shmctl(id, IPC_RMID, 0);
}

static volatile int notified;
static void onnotify(int s, siginfo_t *i, void *c) {
  (void)s; (void)c;
  notified = i->si_value.sival_int * 100 + (i->si_code == SI_MESGQ);
}

static void posix(void) {
  struct mq_attr at = {.mq_maxmsg = 3, .mq_msgsize = 64};
  char b[64];
  unsigned prio;
  mq_unlink("/ipc-mq");
  R("noent", mq_open("/ipc-mq", O_RDWR));
  mqd_t q = OK("open", mq_open("/ipc-mq", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &at));
  R("exist", mq_open("/ipc-mq", O_RDWR | O_CREAT | O_EXCL, 0600, &at));
  R("send", mq_send(q, "low", 3, 1));
  R("send", mq_send(q, "high", 4, 9));
  R("send", mq_send(q, "low2", 4, 1));
  R("full", mq_send(q, "x", 1, 1));
  R("prio", mq_send(q, "x", 1, 40000));
  R("big", mq_send(q, b, 65, 1));
  pollshow("mq", q, POLLIN | POLLOUT);
  struct mq_attr got;
  R("attr", mq_getattr(q, &got));
  printf("%ld %ld %ld %ld\n", got.mq_flags & O_NONBLOCK, got.mq_maxmsg, got.mq_msgsize, got.mq_curmsgs);
  R("small", mq_receive(q, b, 10, &prio));
  R("recv", mq_receive(q, b, 64, &prio));
  printf("%.4s %u\n", b, prio);
  R("recv", mq_receive(q, b, 64, &prio));
  R("recv", mq_receive(q, b, 64, &prio));
  R("empty", mq_receive(q, b, 64, &prio));
  struct sigaction a = {.sa_sigaction = onnotify, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR2, &a, 0);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42};
  R("notify", mq_notify(q, &e));
  R("notify-busy", mq_notify(q, &e));
  R("send", mq_send(q, "n", 1, 0));
  printf("notified=%d\n", notified);
  R("unlink", mq_unlink("/ipc-mq"));
  R("still", mq_receive(q, b, 64, 0));
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  struct mq_attr block = {0};
  mq_setattr(q, &block, 0);
  t.tv_nsec += 20000000;
  if (t.tv_nsec >= 1000000000) {
    t.tv_nsec -= 1000000000;
    t.tv_sec++;
  }
  R("timed", mq_timedreceive(q, b, 64, 0, &t));
  R("bad-fd", mq_send(1, "x", 1, 1));
  mq_close(q);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  semaphores();
  queues();
  shared();
  posix();
  return 0;
}
