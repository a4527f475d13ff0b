#!/bin/bash
# extra-programs.sh: jobs on programs beyond all-packages.lock.tsv, in the style of real-programs.sh: PASS or FAIL, name and seconds
# for each; every job compares its answer with a known one. JOBS="name name" picks some.
export LANG=C.UTF-8 HOME=/root; W=${W:-/tmp/xp.$$}; mkdir -p $W; cd $W; n=0; p=0
ok() { local name=$1 t=$2; shift 2; [ -n "$JOBS" ] && ! [[ " $JOBS " == *" $name "* ]] && return; local t0=$SECONDS out; out=$(timeout -k 3 $t bash -c "$1" 2>&1); local rc=$?; n=$((n+1)); if [ $rc = 0 ] && [[ "$out" == *"$2"* ]]; then p=$((p+1)); echo "PASS $name $((SECONDS-t0))s"; else echo "FAIL $name rc=$rc $((SECONDS-t0))s: $(echo "$out" | tail -3 | tr '\n' '|' | cut -c1-300)"; fi; }
ok java-gc 240 'java -Xmx32m -XX:+UseSerialGC -XshowSettings:vm -version 2>&1 | grep -c "Max. Heap Size: 32.00M"; java -Xmx64m -XX:+UseG1GC -version 2>&1 | grep -c "64-Bit Server VM"; java -Xint -version 2>&1 | grep -c "interpreted mode"' '1
1
1'
ok ruby 120 'ruby -e "q=Queue.new; t=4.times.map{|i| Thread.new{100.times{|j| q<<i*j}}}; t.each(&:join); s=0; s+=q.pop until q.empty?; puts s; r,w=IO.pipe; fork{r.close; w.puts (1..50).reduce(:*); exit!}; w.close; puts r.read; GC.start; GC.compact rescue 0"' '29700
30414093201713378043612608166064768844377641568960512000000000000'
ok php 120 'php -r "\$a=[]; for(\$i=0;\$i<200000;\$i++) \$a[\"k\$i\"]=\$i; echo array_sum(\$a), PHP_EOL; echo md5(serialize(range(1,1000))), PHP_EOL; \$p=popen(\"seq 3\",\"r\"); echo stream_get_contents(\$p);"' 19999900000
ok ocaml 120 'ocaml -e "let rec f n = if n < 2 then n else f (n-1) + f (n-2) in print_int (f 22); let a = Array.init 100000 (fun i -> i) in print_newline (); print_int (Array.fold_left (+) 0 a)"' '17711
4999950000'
ok guile 120 'guile --no-auto-compile -c "(use-modules (ice-9 threads)) (display (apply + (par-map (lambda (x) (* x x)) (iota 100)))) (newline)"' 328350
ok tcl 60 'echo "set s 0; for {set i 0} {\$i<100000} {incr i} {incr s \$i}; puts \$s; puts [exec seq 3 | tail -1]; after 100 {set d 1}; vwait d; puts later" > t.tcl; tclsh t.tcl' '4999950000
3
later'
ok g++ 600 'cat > a.cc <<"X"
#include <cstdio>
#include <future>
#include <stdexcept>
int main(){long s=0;for(int i=0;i<4;i++){auto f=std::async(std::launch::async,[i]{return i*10000L;});s+=f.get();}try{throw std::runtime_error("boom");}catch(std::exception&e){printf("%s%ld\n",e.what(),s);}}
X
g++ -O0 -pthread a.cc -o a && ./a' boom60000
ok gfortran 120 'printf "program p\n integer :: i\n real(8) :: s\n s = 0\n do i = 1, 1000\n  s = s + i\n end do\n print *, int(s)\nend program\n" > f.f90; gfortran -O2 f.f90 -o f && ./f' 500500
ok clang 240 'printf "#include <stdio.h>\nint main(void){unsigned s=0;for(unsigned i=0;i<1000000;i++)s+=i*i;printf(\"%%u\\\\n\",s);return 0;}\n" > c.c; clang -O2 c.c -o c && ./c' 584144992
ok cmake-ninja 300 'mkdir src; printf "cmake_minimum_required(VERSION 3.20)\nproject(p C)\nadd_library(l SHARED l.c)\nadd_executable(m m.c)\ntarget_link_libraries(m l)\n" > src/CMakeLists.txt; echo "int f(void){return 42;}" > src/l.c; printf "#include <stdio.h>\nint f(void);int main(void){printf(\"cm%%d\\\\n\",f());return 0;}\n" > src/m.c; cmake -G Ninja -S src -B b >/dev/null && ninja -C b >/dev/null && b/m' cm42
ok gdb 240 'printf "#include <stdio.h>\nint f(int n){return n<2?n:f(n-1)+f(n-2);}\nint main(void){printf(\"%%d\\\\n\",f(10));return 0;}\n" > t.c; gcc -g -O0 t.c -o t; gdb -nx -batch -ex "set debuginfod enabled off" -ex "break f if n==3" -ex run -ex bt -ex "p n*100" -ex delete -ex continue ./t 2>&1 | tr "\n" " "' '= 300 55'
ok stress-ng-vm 120 'stress-ng --vm 2 --vm-bytes 8M --vm-ops 40 --verify 2>&1 | grep -E "(failed|passed):"' 'failed: 0'
ok stress-ng-maps 240 'for s in mmap fork mremap madvise mlock shm pipe sigsegv brk stack mmapfork shm-sysv msync mprotect vma bigheap; do stress-ng --$s 1 --$s-ops 10 --mmap-bytes 2M --mremap-bytes 2M --shm-bytes 1M --bigheap-bytes 8M --timeout 20 --verify >o 2>&1 || { echo "$s:"; tail -3 o; }; grep -q "failed: 0" o || echo "$s failed"; done; echo finished' 'finished'
ok mercurial 120 'hg init H; cd H; for i in $(seq 20); do seq $i > f$i; done; hg -q commit -A -m one -u a; echo x >> f1; hg -q commit -m two -u a; hg -q clone . ../H2; cd ../H2; hg verify -q; hg log --template "{rev} "' '1 0'
ok subversion 120 'svnadmin create S; svn -q checkout file://$PWD/S W; cd W; for i in $(seq 20); do seq $i > f$i; done; svn -q add f*; svn -q commit -m one; echo x >> f1; svn -q commit -m two; svn -q update; svn info --show-item revision; svnadmin verify -q ../S && echo verified' '2
verified'
ok tmux 90 'tmux -f /dev/null -L t new-session -d -x 60 -y 10 "bash --norc"; sleep 1; tmux -L t send-keys "echo \$((6*7))-in-tmux" Enter; for i in $(seq 40); do tmux -L t capture-pane -p | grep -q "^42-in-tmux" && break; sleep 0.2; done; tmux -L t split-window -d "sleep 60"; tmux -L t list-panes | wc -l; tmux -L t capture-pane -p | grep "^42"; tmux -L t kill-server' '2
42-in-tmux'
ok screen 60 'export SCREENDIR=$PWD/sd; mkdir -m 700 sd; screen -dmS s bash --norc; sleep 1; screen -S s -X stuff "echo in-\$((40+2)) > sc.out\n"; for i in $(seq 40); do [ -s sc.out ] && break; sleep 0.2; done; cat sc.out; screen -S s -X quit' in-42
ok expect 60 'expect -c "set timeout 20; spawn -noecho bash --norc; send \"echo x\\\$((2+3))y\r\"; expect \"x5y\" {puts matched}; send \"exit\r\"; expect eof"' matched
ok socat-netcat 60 'socat TCP-LISTEN:7201,bind=127.0.0.1,reuseaddr EXEC:"tr a-z A-Z" & sleep 1; echo shout | socat -t 2 - TCP:127.0.0.1:7201; wait; nc -l 127.0.0.1 7202 > n.out & sleep 1; echo by-nc | nc -N 127.0.0.1 7202; wait; cat n.out' 'SHOUT
by-nc'
ok nginx-curl 120 'mkdir -p ng/logs ng/html; seq 20000 > ng/html/n; printf "daemon off; user root; worker_processes 2; pid ng.pid; error_log ng.err; events {worker_connections 64;} http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5; sendfile on; gzip on; gzip_types text/plain; default_type text/plain; server { listen 127.0.0.1:7301; root $PWD/ng/html; } }" > ng.conf; nginx -p $PWD -c $PWD/ng.conf & P=$!; sleep 2; curl -s http://127.0.0.1:7301/n | md5sum; curl -s --compressed http://127.0.0.1:7301/n | md5sum; wget -qO- http://127.0.0.1:7301/n | md5sum; curl -s -r 0-3 http://127.0.0.1:7301/n; kill $P; wait $P; seq 20000 | md5sum' "$(x=$(seq 20000 | md5sum); printf '%s\n%s\n%s\n1\n2\n%s' "$x" "$x" "$x" "$x")"
ok lighttpd 90 'mkdir lh; echo light > lh/i; printf "server.document-root=\"$PWD/lh\"\nserver.bind=\"127.0.0.1\"\nserver.port=7302\n" > l.conf; lighttpd -D -f l.conf & P=$!; sleep 2; curl -s http://127.0.0.1:7302/i; kill $P; wait $P' light
ok jq-mawk-datamash 60 'seq 1000 | jq -s "add"; jq -n "[range(100)]|map(.*.)|add"; seq 1000 | mawk "{s+=\$1}END{print s}"; seq 100 | datamash sum 1 mean 1; units -t "1 mile" km 2>/dev/null | head -1' '500500
328350
500500
5050	50.5'
ok zip-7z 120 'seq 50000 > n; zip -q a.zip n && unzip -p a.zip n | cmp - n; 7z a -mmt2 -bd b.7z n >/dev/null && 7z x -so b.7z 2>/dev/null | cmp - n && pigz -p 3 -k n && pigz -dc n.gz | cmp - n && lz4 -q n n.lz4 && lz4 -dc n.lz4 2>/dev/null | cmp - n && brotli -q 5 -c n | brotli -dc | cmp - n && lzop -c n 2>/dev/null | lzop -dc | cmp - n && pbzip2 -p2 -k n && pbzip2 -dc n.bz2 | cmp - n && echo all-same' all-same
ok rsync-cpio 90 'mkdir r; for i in $(seq 50); do seq $i > r/$i; done; rsync -a r/ q/ && diff -r r q && touch r/7 && echo y >> r/7 && rsync -a --stats r/ q/ | grep "files transferred: 1"; (cd r && find . | cpio -oH newc 2>/dev/null) > c.cpio; mkdir z; (cd z && cpio -id < ../c.cpio 2>/dev/null); diff -r r z && echo cpio-same' cpio-same
ok imagemagick 120 'convert -size 64x64 gradient:red-blue g.png && convert g.png -resize 32x32 -rotate 90 h.jpg && identify -format "%wx%h %m\n" h.jpg' '32x32 JPEG'
ok graphviz-gs 120 'echo "digraph{a->b->c;a->c}" | dot -Tsvg | grep -c "<title>"; echo "%!PS
/Helvetica findfont 20 scalefont setfont 72 72 moveto (hello pdf) show showpage" > h.ps; gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=h.pdf h.ps && pdftotext h.pdf - | head -1' 'hello pdf'
ok ffmpeg 240 'ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=5:duration=2 -c:v mpeg4 -y v.avi && ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 v.avi' 10
ok groff 60 'printf ".TH T 1\n.SH NAME\nt \\\\- test page\n" | groff -man -Tutf8 | grep -c NAME; printf "hello\n" | groff -Tps | head -1' '%!PS-Adobe'
ok vim 60 'seq 10 > v; vim -Nu NONE -es -c "%s/^1\$/one/" -c "\$d" -c "wq" v; head -1 v; wc -l < v' 'one
9'
ok emacs 180 'emacs -Q --batch --eval "(progn (princ (apply (function +) (number-sequence 1 100))) (terpri) (with-temp-buffer (insert \"b\na\n\") (sort-lines nil (point-min) (point-max)) (princ (buffer-string))))"' '5050
a
b'
ok gnupg 180 'export GNUPGHOME=$PWD/gh; mkdir -m 700 gh; gpg --batch --quiet --pinentry-mode loopback --passphrase "" --quick-gen-key a@b ed25519 sign never 2>/dev/null; echo m > m; gpg --batch --quiet -o m.sig --detach-sign m && gpg --verify m.sig m 2>&1 | grep -c "Good signature"; gpgconf --kill all' 1
ok ssh-keygen 60 'ssh-keygen -q -t ed25519 -N "" -f k && ssh-keygen -l -f k.pub | grep -c ED25519; echo d > d; ssh-keygen -q -Y sign -f k -n file d 2>/dev/null; ls d.sig; eval $(ssh-agent) >/dev/null; ssh-add -q k; ssh-add -l | grep -c ED25519; kill $SSH_AGENT_PID' 'd.sig
1'
ok parallel 90 'seq 40 | parallel -j4 "echo {}; true" | sort -n | md5sum; seq 40 | md5sum' "$(seq 40 | md5sum | cut -c1-32)"
ok shells 60 'for s in zsh mksh tcsh fish rc; do $s -c "echo 6 7" ; done | sort | uniq -c; zsh -c "print \$((6*7)); a=(3 1 2); print \${(o)a}"; ksh93 -c "typeset -F2 x=1.5; print \$x" 2>/dev/null; ksh -c "echo k" ' '5 6 7
42
1 2 3'
ok bison-flex 120 'printf "%%option noyywrap\n%%%%\n[0-9]+ printf(\"N\");\n.|\\\\n ECHO;\n%%%%\nint main(void){return yylex();}\n" > l.l; flex -o l.c l.l && gcc l.c -o l && echo "ab12c" | ./l; printf "%%{\nint yylex(void){return 0;} void yyerror(char*s){}\n%%}\n%%%%\ns: ;\n%%%%\n#include <stdio.h>\nint main(void){printf(\"p%%d\\\\n\",yyparse());return 0;}\n" > y.y; bison y.y && gcc y.tab.c -o y && ./y; echo "define(a,b)a" | m4' 'abNc
p0
b'
ok erlang 120 'erl -noshell -eval "Self=self(), [spawn(fun()->Self!I*I end)||I<-lists:seq(1,1000)], S=lists:sum([receive X->X end||_<-lists:seq(1,1000)]), io:format(\"~p~n\",[S]), halt()."' 333833500
ok ltrace 60 'ltrace -c -o lt echo hi; grep -c calls lt' 1
ok swipl 120 'swipl -g "use_module(library(lists)),use_module(library(yall)),use_module(library(thread)),numlist(1,1000,L),sum_list(L,S),print(S),nl,concurrent_maplist([X,Y]>>(Y is X*X),[1,2,3],Z),print(Z),nl" -t halt' '500500
[1,4,9]'
ok numactl-lsof 60 'numactl -s | grep -c policy; numactl --show >/dev/null; lsof -p $$ | grep -c cwd; fuser -v . 2>&1 | grep -c bash; pstree | wc -l; file /bin/ls | grep -o "RISC-V"' 'RISC-V'
ok electric-fence 60 'printf "#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\nint main(void){char*p=malloc(16);memset(p,1,16);puts(\"inside\");fflush(stdout);p[16]=1;return 0;}\n" > e.c; gcc e.c -o e -lefence; ./e > eo 2>&1; echo "status $?"; cat eo | tail -1' 'status 139
inside'
echo "-- $p of $n"; cd /; rm -rf $W
