/* Time: clocks that go forward, sleeps that are long enough, interval timers, times that processes used. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static long now_us(int clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(void)
{
	struct timespec wanted = { 0, 30000000 }, left;

	setvbuf(stdout, 0, _IONBF, 0);
	long last = now_us(CLOCK_MONOTONIC);
	int forward = 1;
	for (int i = 0; i < 1000; i++) {
		long now = now_us(CLOCK_MONOTONIC);
		forward &= now >= last;
		last = now;
	}
	printf("monotonic: %d\n", forward);
	nanosleep(&wanted, 0);
	printf("slept at least 30 ms: %d\n", now_us(CLOCK_MONOTONIC) - last >= 30000);
	struct timeval tv;
	gettimeofday(&tv, 0);
	printf("gettimeofday is near CLOCK_REALTIME: %d\n", now_us(CLOCK_REALTIME) - (tv.tv_sec * 1000000 + tv.tv_usec) < 1000000);
	printf("bad clock: %d %s\n", clock_gettime(99, &wanted), strerror(errno));
	wanted = (struct timespec){ 0, 1000000000 };
	printf("bad nanoseconds: %d %s\n", nanosleep(&wanted, 0), strerror(errno));

	struct sigaction action = { .sa_handler = on_alarm };
	sigaction(SIGALRM, &action, 0);
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
	setitimer(ITIMER_REAL, &timer, 0);
	while (alarms < 3)
		pause();
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, 0);
	printf("three alarms\n");
	timer.it_value.tv_usec = 20000;
	setitimer(ITIMER_REAL, &timer, 0);
	wanted = (struct timespec){ 5, 0 };
	int result = nanosleep(&wanted, &left);
	printf("an interrupted sleep: %d %s, time left: %d\n", result, strerror(errno), left.tv_sec == 4);
	timer.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &timer, 0);
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 20000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	printf("sleep until: %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0));

	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	long start = now_us(CLOCK_PROCESS_CPUTIME_ID);
	volatile unsigned long x = 1;
	while (now_us(CLOCK_PROCESS_CPUTIME_ID) - start < 30000)
		for (int i = 0; i < 1000; i++)
			x = x * 3 + 1;
	getrusage(RUSAGE_SELF, &after);
	long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
		    before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	printf("working is counted: %d\n", used >= 10000);
	struct tms t;
	printf("times: %d\n", times(&t) > 0 && t.tms_utime >= 0);
	printf("resolution known: %d\n", clock_getres(CLOCK_MONOTONIC, &wanted) == 0 && wanted.tv_sec == 0);
	return 0;
}
