#!/bin/bash
# more-programs.sh: further jobs on real programs, in the style of real-programs.sh: PASS or FAIL, name and seconds for each; every
# job compares its answer with a known one. JOBS="name name" picks some.
export LANG=C.UTF-8 HOME=/root PYTHONDONTWRITEBYTECODE=1; W=${W:-/tmp/mp.$$}; mkdir -p $W; cd $W; n=0; p=0
ok() { local name=$1 t=$2; shift 2; [ -n "$JOBS" ] && ! [[ " $JOBS " == *" $name "* ]] && return; local t0=$SECONDS out; out=$(timeout -k 3 $t bash -c "$1" 2>&1); local rc=$?; n=$((n+1)); if [ $rc = 0 ] && [[ "$out" == *"$2"* ]]; then p=$((p+1)); echo "PASS $name $((SECONDS-t0))s"; else echo "FAIL $name rc=$rc $((SECONDS-t0))s: $(echo "$out" | tail -3 | tr '\n' '|' | cut -c1-300)"; fi; }
ok sbcl-gc 180 'sbcl --noinform --disable-debugger --eval "(let ((s 0)) (dotimes (i 50) (let ((l (make-list 20000 :initial-element i))) (incf s (length l)))) (gc :full t) (print s) (quit))"' 1000000
ok sbcl-core 180 'sbcl --noinform --disable-debugger --eval "(progn (defun twice (x) (* 2 x)) (save-lisp-and-die \"twice.core\"))" >/dev/null 2>&1; sbcl --noinform --core twice.core --eval "(progn (print (twice 21)) (quit))"' 42
ok luajit 60 'luajit -e "local ffi=require(\"ffi\") ffi.cdef[[ int getpid(void); ]] local s=0 for i=1,2e7 do s=s+i%7 end print(s, ffi.C.getpid()>0, jit.status())"' '60000003	true	true'
ok node-crypto-zlib 120 'node -e "const c=require(\"crypto\"),z=require(\"zlib\");const b=Buffer.alloc(1<<20,\"abc\");console.log(c.createHash(\"sha256\").update(z.gunzipSync(z.gzipSync(b))).digest(\"hex\")===c.createHash(\"sha256\").update(b).digest(\"hex\"))"' true
ok node-wasm 120 'node -e "const b=Buffer.from(\"0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b\",\"hex\");WebAssembly.instantiate(b).then(r=>console.log(\"wasm\",r.instance.exports.add(40,2)))"' 'wasm 42'
ok node-jit 180 'node -e "function f(n){let a=new Float64Array(1000),s=0;for(let i=0;i<n;i++){a[i%1000]+=Math.sqrt(i);s+=i%3}return s}console.log(f(5e6))"' 4999999
ok node-workers-shared 180 'cat > w.js <<"X"
const {Worker,isMainThread,workerData}=require("worker_threads");
if(isMainThread){const s=new SharedArrayBuffer(8),a=new Int32Array(s);let left=3;for(let i=0;i<3;i++)new Worker(__filename,{workerData:s}).on("exit",()=>{if(!--left)console.log("sum",a[0])})}
else{const a=new Int32Array(workerData);for(let i=0;i<20000;i++)Atomics.add(a,0,1)}
X
node w.js' 'sum 60000'
ok node-http 120 'node -e "const h=require(\"http\");const s=h.createServer((q,r)=>r.end(\"hi \"+q.url)).listen(0,\"127.0.0.1\",()=>h.get({port:s.address().port,path:\"/x\"},r=>{r.on(\"data\",d=>console.log(String(d)));r.on(\"end\",()=>s.close())}))"' 'hi /x'
ok node-child 120 'node -e "const {fork,execSync}=require(\"child_process\");console.log(execSync(\"seq 1 10|tail -1\").toString().trim());if(process.argv[2]!==\"c\"){}" ; node -e "const cp=require(\"child_process\");const c=cp.spawn(\"cat\");c.stdout.on(\"data\",d=>console.log(\"cat \"+d));c.stdin.end(\"meow\")"' 'cat meow'
ok node-fs-watch 120 'node -e "const fs=require(\"fs\");fs.writeFileSync(\"w.txt\",\"a\");const w=fs.watch(\"w.txt\",e=>{console.log(\"event\",e);w.close()});setTimeout(()=>fs.appendFileSync(\"w.txt\",\"b\"),50)"' 'event change'
ok python-threads 120 'python3 -c "
import threading,queue
q=queue.Queue(); r=[]
def w():
    while (x:=q.get()) is not None: r.append(x*x)
ts=[threading.Thread(target=w) for _ in range(8)]; [t.start() for t in ts]
[q.put(i) for i in range(1000)]; [q.put(None) for _ in ts]; [t.join() for t in ts]
print(sum(r))"' 332833500
ok python-pool 180 'python3 -c "
from multiprocessing import get_context
with get_context(\"fork\").Pool(4) as p: print(sum(p.map(pow, [3]*0 or range(200), chunksize=10)) if 0 else sum(p.map(abs, range(-200,0), chunksize=10)))"' 20100
ok python-spawn 240 'cat > sp.py <<"X"
import multiprocessing as mp
def f(q,x): q.put(x+1)
if __name__=="__main__":
    mp.set_start_method("spawn"); q=mp.Queue(); p=mp.Process(target=f,args=(q,41)); p.start(); print("got",q.get()); p.join()
X
python3 sp.py' 'got 42'
ok python-asyncio 120 'python3 -c "
import asyncio
async def h(r,w):
    w.write((await r.readline()).upper()); await w.drain(); w.close()
async def main():
    s=await asyncio.start_server(h,\"127.0.0.1\",0); port=s.sockets[0].getsockname()[1]
    async def c(i):
        r,w=await asyncio.open_connection(\"127.0.0.1\",port); w.write(b\"m%d\\n\"%i); x=await r.read(); w.close(); return x
    print(sorted(await asyncio.gather(*[c(i) for i in range(20)]))[:2]); s.close()
    p=await asyncio.create_subprocess_exec(\"echo\",\"sub\",stdout=asyncio.subprocess.PIPE); print((await p.communicate())[0])
asyncio.run(main())"' "b'sub"
ok python-sqlite 120 'python3 -c "
import sqlite3
c=sqlite3.connect(\"p.db\"); c.execute(\"pragma mmap_size=268435456\"); c.execute(\"create table t(a,b)\"); c.executemany(\"insert into t values(?,?)\",((i,\"x\"*(i%500)) for i in range(5000))); c.commit()
print(c.execute(\"select count(*),sum(length(b)) from t\").fetchone()); c.execute(\"vacuum\"); print(c.execute(\"pragma integrity_check\").fetchone())"' "(5000, 1247500)
('ok',)"
ok python-ctypes 60 'python3 -c "
import ctypes
l=ctypes.CDLL(None); F=ctypes.CFUNCTYPE(ctypes.c_int,ctypes.POINTER(ctypes.c_int),ctypes.POINTER(ctypes.c_int))
a=(ctypes.c_int*6)(5,3,9,1,7,2); l.qsort(a,6,4,F(lambda x,y:x[0]-y[0])); print(list(a))"' '[1, 2, 3, 5, 7, 9]'
ok python-http 120 'mkdir -p h; echo page > h/i.txt; python3 -m http.server -d h --bind 127.0.0.1 8099 >/dev/null 2>&1 & P=$!; for i in $(seq 60); do python3 -c "import urllib.request as u;print(u.urlopen(\"http://127.0.0.1:8099/i.txt\").read())" 2>/dev/null && break; sleep 0.3; done; kill $P' 'page'
ok python-compileall 240 'cp -r /usr/lib/python3.13/json j; python3 -m compileall -q -j 2 j && ls j/__pycache__ | grep -c pyc' 5
ok python-venv 240 'python3 -m venv --without-pip v && v/bin/python -c "import sys;print(sys.prefix!=sys.base_prefix)"' True
ok python-bignum 120 'python3 -c "print(pow(7,20000) % 1000000007, (2**20000).bit_length())"' '569754323 20001'
ok perl-sockets 60 'perl -MIO::Socket::INET -e "\$s=IO::Socket::INET->new(Listen=>5,LocalAddr=>\"127.0.0.1\") or die; if(!fork){\$c=IO::Socket::INET->new(\"127.0.0.1:\".\$s->sockport) or die; print \$c \"ping\\n\"; exit} \$a=\$s->accept; print uc <\$a>; wait"' PING
ok perl-threads 120 'perl -Mthreads -Mthreads::shared -e "my \$x:shared=0; \$_->join for map{threads->create(sub{for(1..500){lock(\$x);\$x++}})}1..4; print \"x=\$x\""' x=2000
ok perl-mmap-io 60 'perl -e "open my \$f,\"+>:mmap\",\"pm\" or die; print \$f \"line \$_\\n\" for 1..5000; seek \$f,0,0; \$n++ while <\$f>; print \"n=\$n\""' n=5000
ok perl-pty 60 'perl -MIO::Pty -e "\$p=IO::Pty->new; if(!fork){\$p->make_slave_controlling_terminal; \$s=\$p->slave; open STDOUT,\">&\",\$s; print -t STDOUT ? \"tty\":\"no\", \"\\n\"; exit} print scalar <\$p>; wait"' tty
ok perl-ipcrun 60 'perl -MIPC::Run=run -e "run [\"seq\",1,100],\"|\",[\"grep\",7],\"|\",[\"wc\",\"-l\"],\\my \$o; print \"o=\$o\""' o=19
ok gawk-2way 60 'gawk "BEGIN{c=\"sort -n\"; for(i=50;i>0;i--) print i |& c; close(c,\"to\"); while((c |& getline x)>0) s=s x \" \"; print s}" | cut -c1-12' '1 2 3 4 5 6'
ok gawk-tcp 60 'gawk "BEGIN{s=\"/inet/tcp/8077/0/0\"; if((s |& getline x)>0) print \"got\",x}" & sleep 1; gawk "BEGIN{s=\"/inet/tcp/0/127.0.0.1/8077\"; print \"hello\" |& s; close(s)}"; wait' 'got hello'
ok bc 60 'echo "scale=60; 4*a(1)" | bc -l; echo "2^521-1" | bc | md5sum' 3.14159265358979323846264338327950288419716939937510582097494
ok bash-coproc 60 'coproc C { while read x; do echo "<$x>"; done; }; echo one >&${C[1]}; read -u ${C[0]} r; echo $r; exec {C[1]}>&-; trap "echo usr1" USR1; kill -USR1 $$; cat <(echo p1) <(echo p2) | tee >(wc -l >&2) | paste -sd,' 'p1,p2'
ok bash-jobs 60 'set -m; sleep 50 & sleep 60 & jobs -l | wc -l; kill %1 %2; wait; for i in $(seq 30); do (exit $i) & p=$!; wait $p; [ $? = $i ] || echo bad; done; echo fine' fine
ok find-xargs 90 'mkdir -p fx; for i in $(seq 200); do echo $i > fx/$i; done; find fx -type f -print0 | xargs -0 -P4 -n10 cat | sort -n | md5sum; find fx -newer fx/1 -name "1*" | wc -l; seq 200 | md5sum' "$(seq 200 | md5sum | cut -c1-32)"
ok sed-tar-gzip 90 'mkdir -p t/a/b; seq 30000 > t/a/b/n; ln -s n t/a/b/l; ln t/a/b/n t/h; tar czf t.tgz t; rm -rf u; mkdir u; tar xzf t.tgz -C u; diff -r t u/t && readlink u/t/a/b/l && stat -c %h u/t/h; tar cf - t | bzip2 | bunzip2 | tar tf - | wc -l; sed -n "s/^77/x/p" t/h | wc -l' '2
6'
ok sort-big 120 'seq 300000 | shuf --random-source=<(yes) | sort -n -S 2M --compress-program=gzip -T . | cmp - <(seq 300000) && echo sorted' sorted
ok split-dd-cmp 90 'head -c 3000000 /dev/urandom > r; split -b 70000 r r.; cat r.* | cmp - r && dd if=r of=r2 bs=64k conv=notrunc,fsync 2>/dev/null && cmp r r2 && sha512sum r r2 | cut -d" " -f1 | uniq | wc -l' 1
ok diff-patchless 60 'seq 1000 > d1; sed "s/^500$/x/" d1 > d2; diff -u d1 d2 | grep -c "^[-+][0-9x]"' 2
ok git-bigger 240 'rm -rf G; git init -q G; cd G; git config user.email a@b; git config user.name n; for i in $(seq 1 40); do seq $i $((i+500)) > f$i; done; git add .; git commit -qm base; git checkout -qb topic; for i in 1 2 3; do echo t$i >> f1; git commit -qam t$i; done; git checkout -q -; echo m >> f2; git commit -qam m; git checkout -q topic; git rebase -q - >/dev/null; git worktree add -q ../GW -b wt; git gc -q --aggressive --prune=now; git bundle create -q ../b.bundle --all; cd ..; rm -rf C; git clone -q b.bundle C -b topic; cd C; git fsck --full 2>&1 | grep -v notice; git log --oneline | wc -l; git grep -c t3 | cat; git bisect start >/dev/null; git stash list; echo fin' 'f1:1'
ok git-daemonless 120 'rm -rf S D; git init -q --bare S; git clone -q S D 2>/dev/null; cd D; git config user.email a@b; git config user.name n; seq 5000 > f; git add f; git commit -qm a; git push -q origin HEAD; cd ..; git -C S rev-list --all --count; git -C S index-pack --stdin < /dev/null 2>&1 | head -1; git archive --remote=./S --format=tar HEAD | tar xO f | md5sum; seq 5000 | md5sum' "$(seq 5000 | md5sum | cut -c1-32)"
ok openssl-tls 120 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=x 2>/dev/null; openssl s_server -quiet -accept 44330 -key k.pem -cert c.pem -rev >/dev/null 2>&1 & P=$!; sleep 2; echo abcdef | timeout 20 openssl s_client -quiet -connect 127.0.0.1:44330 2>/dev/null | head -1; kill $P' fedcba
ok openssl-rsa 180 'openssl genrsa 2048 2>/dev/null > r.pem; openssl rsa -in r.pem -pubout 2>/dev/null > p.pem; seq 100 > m; openssl dgst -sha256 -sign r.pem -out sg m; openssl dgst -sha256 -verify p.pem -signature sg m; openssl enc -aes-256-ctr -pbkdf2 -k pw -in m | openssl enc -d -aes-256-ctr -pbkdf2 -k pw | cmp - m && echo roundtrip' 'Verified OK
roundtrip'
ok zstd-threads 120 'seq 400000 > z; zstd -q -T4 -3 -f z -o z.zst; zstd -q -dc z.zst | cmp - z; mkdir zd; for i in $(seq 40); do seq $i $((i+300)) > zd/$i; done; zstd -q --train-fastcover=d=6,k=64,steps=2 zd/* -o dict --maxdict=4096 2>/dev/null; zstd -q -D dict zd/7 -o d7.zst; zstd -q -D dict -dc d7.zst | cmp - zd/7; zstd -q -t z.zst && echo tested' tested
ok xz-threads 180 'seq 400000 > y; xz -T3 --block-size=500KiB -0 -k -f y; xz -l y.xz | tail -1 | awk "{print \$2}"; xz -T3 -dc y.xz | cmp - y && echo equal' equal
ok gcc-project 240 'mkdir -p proj; cd proj; for i in $(seq 12); do echo "int f$i(int x){return x*$i;}" > f$i.c; done; { for i in $(seq 12); do echo "int f$i(int);"; done; echo "#include <stdio.h>"; echo "int main(){int s=0;"; for i in $(seq 12); do echo "s+=f$i(10);"; done; echo "printf(\"%d\\n\",s);return 0;}"; } > m.c; printf "OBJ=\$(patsubst %%.c,%%.o,\$(wildcard *.c))\nprog: \$(OBJ)\n\tgcc -o \$@ \$^\n%%.o: %%.c\n\tgcc -O2 -c \$<\nlib.a: \$(OBJ)\n\tar rcs \$@ \$^\n" > Makefile; make -s -j4 prog lib.a && ./prog; nm lib.a | grep -c " T f"' '780
12'
ok gcc-shared-tls 240 'cat > l.c <<"X"
#include <pthread.h>
#include <stdio.h>
static __thread int n; static int total; static pthread_mutex_t m=PTHREAD_MUTEX_INITIALIZER;
void *w(void*a){for(int i=0;i<1000;i++)n++;pthread_mutex_lock(&m);total+=n;pthread_mutex_unlock(&m);return 0;}
int run(void){pthread_t t[8];for(int i=0;i<8;i++)pthread_create(t+i,0,w,0);for(int i=0;i<8;i++)pthread_join(t[i],0);return total;}
X
cat > d.c <<"X"
#include <dlfcn.h>
#include <stdio.h>
int main(){void*h=dlopen("./l.so",RTLD_NOW);int(*r)(void)=(int(*)(void))dlsym(h,"run");printf("%d\n",r());return dlclose(h);}
X
gcc -O2 -shared -fPIC l.c -o l.so && gcc d.c -o d && ./d && gcc -static d.c -o ds 2>/dev/null; gcc -pg -O0 d.c -o dp && ./dp && ls gmon.out' '8000
gmon.out'
ok gcc-lto-openmp 240 'printf "#include <stdio.h>\nint main(){long s=0;\n#pragma omp parallel for reduction(+:s)\nfor(int i=0;i<100000;i++)s+=i;printf(\"%%ld\\\\n\",s);}\n" > o.c; gcc -O2 -fopenmp -flto=2 o.c -o o && OMP_NUM_THREADS=4 ./o' 4999950000
ok gcc-asan 240 'printf "#include <stdlib.h>\nint main(int c,char**v){char*p=malloc(10);p[c+9]=1;free(p);return 0;}\n" > as.c; gcc -g -fsanitize=address as.c -o as && ./as 2>&1 | grep -o heap-buffer-overflow | head -1' heap-buffer-overflow
ok gcc-ubsan 180 'printf "#include <limits.h>\nint main(int c,char**v){int x=INT_MAX;return (x+c)>0;}\n" > ub.c; gcc -fsanitize=undefined ub.c -o ub && ./ub 2>&1 | grep -o "signed integer overflow" | head -1' 'signed integer overflow'
ok gcc-tsan 240 'printf "#include <pthread.h>\nint x;void*f(void*a){x++;return 0;}int main(){pthread_t t;pthread_create(&t,0,f,0);x++;pthread_join(t,0);}\n" > ts.c; gcc -g -fsanitize=thread ts.c -o ts && ./ts 2>&1 | grep -o "data race" | head -1' 'data race'
ok musl-gcc 120 'ls /lib/ld-musl-riscv64.so.1 && /lib/ld-musl-riscv64.so.1 2>&1 | head -1' musl
ok strace 60 'strace -f -o st.txt bash -c "/bin/true; cat /etc/hostname" >/dev/null; grep -c execve st.txt; strace -c -e trace=mmap,openat ls / 2>&1 | grep -c mmap' '3
1'
ok memtester 120 'memtester 2M 1 | tail -1' Done
ok stressapptest 120 'stressapptest -s 2 -M 16 -m 2 -i 1 -C 1 2>&1 | grep Status' 'Status: PASS'
ok fio-mmap 120 'fio --name=m --ioengine=mmap --rw=randwrite --bs=4k --size=4m --verify=crc32c --do_verify=1 --filename=fio.dat --fsync=64 --output-format=terse | cut -d";" -f3,5' 'm;0'
ok fio-psync-threads 120 'fio --name=m --ioengine=psync --thread --numjobs=4 --rw=randrw --bs=8k --size=1m --verify=md5 --group_reporting --output-format=terse | cut -d";" -f5' 0
ok fio-libaio 120 'fio --name=m --ioengine=libaio --iodepth=8 --rw=randwrite --bs=4k --size=2m --verify=crc32c --filename=aio.dat --output-format=terse 2>&1 | tail -1 | cut -d";" -f3,5' 'm;0'
ok fio-splice-uring 120 'fio --name=m --ioengine=splice --rw=write --bs=4k --size=1m --filename=spl.dat --output-format=terse 2>&1 | tail -1 | cut -d";" -f3,5' 'm;0'
ok memcached 90 'memcached -u root -l 127.0.0.1 -p 11299 -t 4 -m 64 & P=$!; sleep 2; python3 -c "
import socket
s=socket.create_connection((\"127.0.0.1\",11299)); f=s.makefile(\"rwb\")
for i in range(500):
    f.write(b\"set k%d 0 0 5\\r\\nv%04d\\r\\n\"%(i,i)); f.flush(); assert f.readline()==b\"STORED\\r\\n\"
f.write(b\"get k7 k499\\r\\n\"); f.flush(); print([f.readline().strip() for _ in range(5)])"; kill $P; wait $P' "b'v0007', b'VALUE k499 0 5', b'v0499', b'END'"
ok redis-aof 120 'mkdir -p RA; redis-server --port 7379 --save "" --appendonly yes --dir $PWD/RA >ra.log 2>&1 & P=$!; for i in $(seq 60); do redis-cli -p 7379 ping 2>/dev/null | grep -q PONG && break; sleep 0.2; done; for i in $(seq 300); do echo "SET k$i v$i"; done | redis-cli -p 7379 >/dev/null; redis-cli -p 7379 bgrewriteaof >/dev/null; for i in $(seq 60); do redis-cli -p 7379 info persistence | grep -q "aof_rewrite_in_progress:0" && break; sleep 0.2; done; redis-cli -p 7379 set after 1 >/dev/null; kill -9 $P; wait $P 2>/dev/null; redis-server --port 7379 --save "" --appendonly yes --dir $PWD/RA >ra2.log 2>&1 & P=$!; for i in $(seq 60); do redis-cli -p 7379 ping 2>/dev/null | grep -q PONG && break; sleep 0.2; done; redis-cli -p 7379 dbsize; redis-cli -p 7379 get k300; redis-cli -p 7379 shutdown nosave; wait $P' '301
v300'
ok redis-benchmark 180 'redis-server --port 7380 --save "" --io-threads 2 >rb.log 2>&1 & P=$!; for i in $(seq 60); do redis-cli -p 7380 ping 2>/dev/null | grep -q PONG && break; sleep 0.2; done; redis-benchmark -p 7380 -q -n 2000 -c 20 -t set,get,lpush,incr --csv | grep -c ",";  redis-cli -p 7380 get counter:__rand_int__; redis-cli -p 7380 --eval <(echo "return redis.call(\"incrby\",\"c\",42)"); redis-cli -p 7380 shutdown nosave; wait $P' '2000
42'
ok lmdb-copy 90 'mkdir -p LA LB; (echo VERSION=3; echo format=print; echo type=btree; echo mapsize=20971520; echo HEADER=END; seq 10001 13000 | sed "s/.*/ k&\n v&/;s/v1.*/&.....................................................................................................................................&/"; echo DATA=END) > l.txt; mdb_load -f l.txt LA; mdb_copy -c LA LB && mdb_stat LB | grep Entries; for i in 1 2 3 4; do mdb_dump -p LB | md5sum & done | sort -u | wc -l' 'Entries: 3000
1'
ok sqlite-concurrent 180 'rm -f c.db; sqlite3 c.db "pragma journal_mode=wal; create table t(p,n);"; for p in 1 2 3 4; do (for n in $(seq 10); do echo "pragma busy_timeout=20000; insert into t values($p,$n);"; done | sqlite3 c.db >/dev/null) & done; wait; sqlite3 c.db "select count(*),sum(n) from t; pragma integrity_check; pragma wal_checkpoint(truncate);"' '40|220
ok'
ok sqlite-recover 90 'rm -f r.db r2.db; sqlite3 r.db "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<2000) insert into t select x,hex(x) from c;"; sqlite3 r.db .recover | sqlite3 r2.db; sqlite3 r2.db "select count(*),sum(a) from t"; sqlite3 r.db .sha3sum; sqlite3 r.db ".dump" | md5sum >/dev/null; sqlite3 r.db "vacuum into '"'r3.db'"'"; sqlite3 r3.db "pragma integrity_check"' '2000|2001000'
ok postgres-crash 400 'B=/usr/lib/postgresql/17/bin; D=$PWD/pg; id postgres >/dev/null 2>&1 || echo "postgres:x:999:999::/tmp:/bin/sh" >> /etc/passwd; U=$(id -u postgres); mkdir $D; chown $U $D . ; run() { setpriv --reuid=$U --regid=$U --clear-groups "$@"; }; start() { run $B/pg_ctl -D $D -o "-c listen_addresses= -c unix_socket_directories=/tmp -c port=5499 -c shared_buffers=16MB" -w -t 200 -l $D/l start >/dev/null 2>&1 || tail -5 $D/l; }; run $B/initdb -D $D -A trust -N -U postgres >/dev/null 2>&1; start; q() { $B/psql -h /tmp -p 5499 -U postgres -Atc "$1"; }; q "create table t(a int primary key, b text)" >/dev/null; for p in 1 2 3 4 5; do (q "insert into t select g+$p*1000, repeat(md5(g::text),5) from generate_series(1,500) g" >/dev/null) & done; wait %2 %3 %4 %5 %6 2>/dev/null; wait $(jobs -p) 2>/dev/null; q "vacuum analyze t" >/dev/null; q "set max_parallel_workers_per_gather=2; set parallel_setup_cost=0; set parallel_tuple_cost=0; set min_parallel_table_scan_size=0; select count(*) from t"; kill -9 $(head -1 $D/postmaster.pid); sleep 2; pkill -9 postgres; rm -f $D/postmaster.pid; sleep 1; start; q "select count(*), sum(a) from t"; run $B/pg_ctl -D $D -m immediate stop >/dev/null 2>&1' '2500|8126250'
ok procps 60 'free -b | awk "/^Mem/{print (\$2>0 && \$3>0)}"; uptime | grep -c load; vmstat 1 2 | tail -1 | wc -w; pgrep -c bash >/dev/null && echo has; pmap -x $$ | tail -1 | grep -c total; top -b -n 1 | grep -c COMMAND; w -h | wc -l; slabtop -o 2>&1 | head -1 | wc -l; sysctl vm.overcommit_memory; pidof bash | wc -w | grep -c .' 'vm.overcommit_memory = 0'
ok util-linux 60 'flock lk -c "echo locked"; unshare --version | head -1; lscpu | head -1; getopt -o a: -- -a 1 x; taskset -p $$ | head -1; ionice -p $$; chrt -p $$ | head -1; prlimit --nofile --noheadings -p $$ | wc -l; script -qc "tty >/dev/null && echo on-tty" /dev/null; rev <<< abc; column -t <<< "a b"; hexdump -C <<< hi | head -1; lsipc -m | head -1 | wc -l; setsid -w echo session; findmnt -n / | wc -l; mountpoint -q /proc && echo mp' mp
ok mount-tmpfs 60 'mkdir -p mt; mount -t tmpfs none mt && echo x > mt/f && df mt | tail -1 | grep -c mt && umount mt && ls mt | wc -l; mkdir b1 b2; echo y > b1/f; mount --bind b1 b2 && cat b2/f && umount b2' y
ok net-tools 60 'ifconfig lo | grep -o 127.0.0.1; netstat -tln | head -1 | wc -l; hostname | wc -l; route -n | head -1' 'Kernel IP routing table'
ok dpkg 120 'dpkg -l bash | tail -1 | cut -c1-2; dpkg -S /bin/ls /usr/bin/ls 2>/dev/null | cut -d: -f1 | sort -u; dpkg --verify coreutils && echo verified; dpkg-query -W | wc -l | awk "{print (\$1>200)}"; mkdir -p pk/DEBIAN pk/srv/x; printf "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: t\n" > pk/DEBIAN/control; echo hi > pk/srv/x/f; dpkg-deb -b pk tiny.deb >/dev/null && dpkg -i --force-all tiny.deb >/dev/null 2>&1; cat /srv/x/f; dpkg -s tiny | grep Status; dpkg -P tiny >/dev/null 2>&1; ls /srv/x 2>&1 | head -1' 'install ok installed'
ok locale-tz 120 'TZ=Europe/Berlin date -d @0 +%H; TZ=America/New_York date -d @0 +%d; mkdir lo; localedef -i de_DE -f ISO-8859-1 ./lo/de_DE && LOCPATH=$PWD/lo LC_ALL=de_DE bash -c "printf \"%.2f\\n\" 1,5"' '1,50'
ok accounts 90 'adduser --system --group --no-create-home svc >/dev/null 2>&1; id -un svc; groupadd g1 && useradd -m -G g1 u1 && su u1 -c "id -Gn; cd; pwd"; setpriv --reuid=1000 --clear-groups id -u; echo u1:pw | chpasswd; passwd -S u1 | cut -d" " -f2' 'svc
u1 g1
/home/u1
1000
P'
ok binutils 60 'objdump -d /bin/true | grep -c auipc | awk "{print (\$1>10)}"; readelf -hW /bin/ls | grep -c RISC-V; strings /bin/ls | grep -c GNU; cp /bin/true tr; strip tr; ./tr && echo ran; size tr | wc -l; c++filt _ZN3foo3barEv; addr2line -e tr 0; gprofng --version | head -1' 'foo::bar()'
ok malloc-preloads 120 'for l in libmimalloc.so.3 libjemalloc.so.2 libtcmalloc_minimal.so.4; do LD_PRELOAD=/usr/lib/riscv64-linux-gnu/$l perl -e "my @a=map{\"x\"x(\$_%3000)}1..5000; my %h=map{\$_=>1}1..20000; print scalar(keys %h),\"\\n\""; done | sort | uniq -c | tr -s " "' ' 3 20000'
ok jemalloc-threads 120 'LD_PRELOAD=/usr/lib/riscv64-linux-gnu/libjemalloc.so.2 MALLOC_CONF=narenas:4,dirty_decay_ms:0,stats_print:false python3 -c "
import threading
def w(): return [bytearray(i*37%9000) for i in range(3000)]
ts=[threading.Thread(target=w) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(\"done\")"' done
ok rg-multithread 90 'mkdir -p rgd; for i in $(seq 100); do seq $i $((i+200)) > rgd/f$i; done; rg -j4 -c --mmap "^150$" rgd | wc -l; rg -j2 --no-mmap -o "1[0-9]9" rgd | wc -l; cat rgd/* | grep -o "1[0-9]9" | wc -l' 100
ok cpp-preproc 60 'echo "#define A(x) #x x##1" > c.c; echo "A(foo)" >> c.c; cpp -P c.c; echo "#include <stdio.h>" | gcc -E -x c - | wc -l | awk "{print (\$1>300)}"' '"foo" foo1'
ok busybox-net 60 'mkdir -p bw; echo bb > bw/i; busybox httpd -f -p 127.0.0.1:8066 -h bw & P=$!; sleep 1; busybox wget -qO- http://127.0.0.1:8066/i; kill $P; (busybox nc -l -p 7123 > nc.out &) ; sleep 1; echo through | busybox nc -w 1 127.0.0.1 7123; sleep 1; cat nc.out; busybox vi --help 2>&1 | head -1 | wc -l; seq 5 | busybox tac | busybox md5sum' through
echo "-- $p of $n"; cd /; rm -rf $W
