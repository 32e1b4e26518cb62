/*
 * Names of hosts and services, from /etc/hosts and /etc/services.  A file is read anew for each question, to its end or to the first
 * answer: nothing is kept that could grow old.  Lines longer than LINE are cut.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, MOST_NAMES = 16 };

/* The answer that the old functions return. */
static char line[LINE], *names[MOST_NAMES + 1], *addresses[2];
static struct in_addr address;
static struct hostent host = { .h_addrtype = AF_INET, .h_length = 4 };
static struct servent service;

/* The next line that is more than a comment, cut into words: the number of them, 0 at the end. */
static int next_entry(FILE *file, char *words[MOST_NAMES + 2])
{
	while (fgets(line, sizeof line, file)) {
		int count = 0, whole = strchr(line, '\n') != 0;
		for (int c; !whole && (c = fgetc(file)) != EOF && c != '\n';)
			;
		line[strcspn(line, "#\n")] = 0;
		for (char *rest = line, *word; count < MOST_NAMES + 1 && (word = strsep(&rest, " \t"));)
			if (*word)
				words[count++] = word;
		words[count] = 0;
		if (count > 1)
			return count;
	}
	return 0;
}

static struct hostent *host_answer(char **words, const char *fallback)
{
	host.h_name = words ? words[1] : (char *)fallback;
	names[0] = 0;
	for (int i = 0; words && words[i + 1]; i++)
		names[i] = words[i + 2];
	host.h_aliases = names;
	addresses[0] = (char *)&address;
	host.h_addr_list = addresses;
	return &host;
}

struct hostent *gethostbyname(const char *name)
{
	char *words[MOST_NAMES + 2];
	struct hostent *found = 0;

	if (inet_aton(name, &address)) {
		strlcpy(line, name, sizeof line);
		return host_answer(0, line);
	}
	FILE *file = fopen("/etc/hosts", "r");
	while (file && !found && next_entry(file, words))
		if (inet_pton(AF_INET, words[0], &address) == 1)
			for (int i = 1; words[i] && !found; i++)
				if (!strcasecmp(words[i], name))
					found = host_answer(words, 0);
	if (file)
		fclose(file);
	return found;
}

struct hostent *gethostbyaddr(const void *wanted, socklen_t size, int family)
{
	char *words[MOST_NAMES + 2];
	struct hostent *found = 0;

	if (family != AF_INET || size != 4)
		return 0;
	FILE *file = fopen("/etc/hosts", "r");
	while (file && !found && next_entry(file, words))
		if (inet_pton(AF_INET, words[0], &address) == 1 && !memcmp(&address, wanted, 4))
			found = host_answer(words, 0);
	if (file)
		fclose(file);
	return found;
}

/* An entry is "http 80/tcp www". */
static struct servent *find_service(const char *name, int port, const char *protocol)
{
	char *words[MOST_NAMES + 2];
	struct servent *found = 0;
	FILE *file = fopen("/etc/services", "r");

	while (file && !found && next_entry(file, words)) {
		char *slash;
		unsigned long number = strtoul(words[1], &slash, 10);
		if (*slash != '/' || number > 65535 || (protocol && strcmp(slash + 1, protocol)))
			continue;
		int fits = !name && htons(number) == port;
		for (int i = 0; name && words[i] && !fits; i++)
			fits = i != 1 && !strcmp(words[i], name);
		if (!fits)
			continue;
		for (int i = 0; (names[i] = words[i + 2]); i++)
			;
		service = (struct servent){ words[0], names, htons(number), slash + 1 };
		found = &service;
	}
	if (file)
		fclose(file);
	return found;
}

struct servent *getservbyname(const char *name, const char *protocol) { return find_service(name, 0, protocol); }
struct servent *getservbyport(int port, const char *protocol) { return find_service(0, port, protocol); }

/* The port in the network's order, or -1. */
static int service_port(const char *text, int type, int flags)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end != text && !*end)
		return number <= 65535 && end - text < 8 ? htons(number) : -1;
	struct servent *found = flags & AI_NUMERICSERV ? 0 : getservbyname(text, type == SOCK_DGRAM ? "udp" : type == SOCK_STREAM ? "tcp" : 0);
	return found ? found->s_port : -1;
}

/* At most one result for each kind of socket. */
int getaddrinfo(const char *name, const char *service_text, const struct addrinfo *hints, struct addrinfo **list)
{
	static const struct {
		int type, protocol;
	} kinds[] = { { SOCK_STREAM, IPPROTO_TCP }, { SOCK_DGRAM, IPPROTO_UDP }, { SOCK_RAW, 0 } };
	struct addrinfo none = { 0 }, **link = list;
	struct in_addr at = { htonl(INADDR_LOOPBACK) };
	char canonical[NI_MAXHOST] = "";

	if (!hints)
		hints = &none;
	*list = 0;
	if (!name && !service_text)
		return EAI_NONAME;
	if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET)
		return EAI_FAMILY;
	if (!name && hints->ai_flags & AI_PASSIVE)
		at.s_addr = htonl(INADDR_ANY);
	if (name && !inet_aton(name, &at)) {
		struct hostent *found = hints->ai_flags & AI_NUMERICHOST ? 0 : gethostbyname(name);
		if (!found)
			return EAI_NONAME;
		memcpy(&at, found->h_addr, 4);
		strlcpy(canonical, found->h_name, sizeof canonical);
	} else if (name)
		strlcpy(canonical, name, sizeof canonical);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (hints->ai_socktype && hints->ai_socktype != kinds[i].type)
			continue;
		if (hints->ai_protocol && kinds[i].protocol && hints->ai_protocol != kinds[i].protocol)
			continue;
		int port = service_text ? service_port(service_text, kinds[i].type, hints->ai_flags) : 0;
		if (port < 0 && !hints->ai_socktype)
			continue;
		struct {
			struct addrinfo info;
			struct sockaddr_in name;
			char canonical[];
		} *result = port < 0 ? 0 : calloc(1, sizeof *result + strlen(canonical) + 1);
		if (!result) {
			freeaddrinfo(*list);
			*list = 0;
			return port < 0 ? EAI_SERVICE : EAI_MEMORY;
		}
		result->name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr = at };
		result->info = (struct addrinfo){ hints->ai_flags, AF_INET, kinds[i].type, kinds[i].protocol, sizeof result->name,
						  (struct sockaddr *)&result->name, 0, 0 };
		if (hints->ai_protocol)
			result->info.ai_protocol = hints->ai_protocol;
		if (hints->ai_flags & AI_CANONNAME && !*list)
			result->info.ai_canonname = strcpy(result->canonical, canonical);
		*link = &result->info;
		link = &result->info.ai_next;
	}
	return *list ? 0 : service_text ? EAI_SERVICE : EAI_SOCKTYPE;
}

void freeaddrinfo(struct addrinfo *list)
{
	for (struct addrinfo *next; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

const char *gai_strerror(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ 0, "Success" },
		{ EAI_BADFLAGS, "Bad value for ai_flags" },
		{ EAI_NONAME, "Name or service not known" },
		{ EAI_FAMILY, "ai_family not supported" },
		{ EAI_SOCKTYPE, "ai_socktype not supported" },
		{ EAI_SERVICE, "Servname not supported for ai_socktype" },
		{ EAI_MEMORY, "Memory allocation failure" },
		{ EAI_OVERFLOW, "Argument buffer overflow" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].error == error)
			return texts[i].text;
	return "Unknown error";
}

int getnameinfo(const struct sockaddr *name, socklen_t size, char *host_to, socklen_t host_size, char *service_to, socklen_t service_size, int flags)
{
	const struct sockaddr_in *at = (const struct sockaddr_in *)name;
	char number[8];

	if (size < sizeof *at || at->sin_family != AF_INET)
		return EAI_FAMILY;
	if (host_to && host_size) {
		struct hostent *found = flags & NI_NUMERICHOST ? 0 : gethostbyaddr(&at->sin_addr, 4, AF_INET);
		if (!found && flags & NI_NAMEREQD)
			return EAI_NONAME;
		if (strlcpy(host_to, found ? found->h_name : inet_ntoa(at->sin_addr), host_size) >= host_size)
			return EAI_OVERFLOW;
	}
	if (service_to && service_size) {
		struct servent *found = flags & NI_NUMERICSERV ? 0 : getservbyport(at->sin_port, flags & NI_DGRAM ? "udp" : "tcp");
		snprintf(number, sizeof number, "%u", ntohs(at->sin_port));
		if (strlcpy(service_to, found ? found->s_name : number, service_size) >= service_size)
			return EAI_OVERFLOW;
	}
	return 0;
}
