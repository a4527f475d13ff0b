/* A small dynamic program: what fork-exec-dynamic of memory.c runs. */
int main(void) { return 0; }
