// Many processes and threads forking, mapping, faulting, signalling and killing one another; the argument is how many rounds.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <pthread.h>
#include <errno.h>
static int rnd(unsigned*s){ *s=*s*1103515245+12345; return (*s>>16)&0x7fff; }
static volatile int hits; static void h(int s){ hits++; }
static void* th(void*x){ unsigned s=(long)x; for(int i=0;i<20;i++){ char*p=mmap(0,65536,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); if(p!=MAP_FAILED){ memset(p,i,rnd(&s)%65536); munmap(p,65536);} sched_yield(); } return 0; }
static int work(int depth, unsigned seed){
  unsigned s=seed; signal(SIGUSR1,h);
  char*m=mmap(0,1<<20,3,(rnd(&s)&1?MAP_PRIVATE:MAP_SHARED)|MAP_ANONYMOUS,-1,0);
  if(m==MAP_FAILED) return 1;
  for(int i=0;i<256;i+=3) m[i*4096]=i;
  int kids=0; pid_t pid[4];
  if(depth>0) for(int i=0;i<3;i++){ pid_t c=fork(); if(!c) _exit(work(depth-1, s+i*77)); if(c>0) pid[kids++]=c; }
  pthread_t t[3]; int nt=0; for(int i=0;i<3;i++) if(!pthread_create(&t[nt],0,th,(void*)(long)(s+i))) nt++;
  for(int i=0;i<kids;i++) if(rnd(&s)%3==0) kill(pid[i], rnd(&s)%2?SIGUSR1:SIGKILL);
  for(int i=0;i<nt;i++) pthread_join(t[i],0);
  int bad=0; 
  for(int i=0;i<kids;i++){ int st; while(waitpid(pid[i],&st,0)<0 && errno==EINTR); if(WIFEXITED(st)) bad+=WEXITSTATUS(st)!=0; else if(WTERMSIG(st)!=SIGKILL) bad+=10; }
  return bad?1:0;
}
int main(int c,char**v){ int r=0; for(int i=0;i<atoi(v[1]);i++) r|=work(3,i+1); printf("stress %d\n",r); return r; }
