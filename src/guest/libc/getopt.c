/* Options as POSIX has them: they end at the first word that is none, or after "--". */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *optarg;
int optind = 1, opterr = 1, optopt;
static int within; /* index inside a cluster such as -la */

int getopt(int argc, char *const argv[], const char *options)
{
	if (optind == 0) {
		optind = 1;
		within = 0;
	}
	if (!within) {
		if (optind >= argc || argv[optind][0] != '-' || !argv[optind][1])
			return -1;
		if (!strcmp(argv[optind], "--")) {
			optind++;
			return -1;
		}
		within = 1;
	}
	optopt = (unsigned char)argv[optind][within++];
	int last = !argv[optind][within];
	const char *known = optopt == ':' ? 0 : strchr(options, optopt);

	if (known && known[1] == ':') {
		optarg = last ? argv[++optind] : argv[optind] + within;
		optind++;
		within = 0;
		if (!last || (optarg && optind <= argc))
			return optopt;
		if (opterr)
			fprintf(stderr, "%s: option requires an argument -- '%c'\n", argv[0], optopt);
		return options[0] == ':' ? ':' : '?';
	}
	if (last) {
		optind++;
		within = 0;
	}
	if (known)
		return optopt;
	if (opterr)
		fprintf(stderr, "%s: invalid option -- '%c'\n", argv[0], optopt);
	return '?';
}
