#include "net/host.h"

#include <arpa/inet.h>
#include <stdio.h>

bool bb_host_normal(char out[BB_HOST_MAX + 1], const char *host)
{
	/* ::ffff:a.b.c.d is a.b.c.d. */
	static const unsigned char mapped[12] = {[10] = 0xff, 0xff};
	unsigned char ip[16];

	if (inet_pton(AF_INET, host, ip) == 1)
		return inet_ntop(AF_INET, ip, out, BB_HOST_MAX + 1);
	if (inet_pton(AF_INET6, host, ip) != 1)
		return false;
	if (memcmp(ip, mapped, sizeof(mapped)) == 0)
		return inet_ntop(AF_INET, ip + 12, out, BB_HOST_MAX + 1);
	return inet_ntop(AF_INET6, ip, out, BB_HOST_MAX + 1);
}

bool bb_host_is_one(const char *host)
{
	static const unsigned char none[16];
	unsigned char ip[16];

	if (inet_pton(AF_INET, host, ip) == 1)
		return ip[0] != 0 && ip[0] < 224;
	return inet_pton(AF_INET6, host, ip) == 1 && ip[0] != 0xff &&
	       memcmp(ip, none, sizeof(none)) != 0;
}

static bool is_public4(const unsigned char ip[4])
{
	return ip[0] != 10 && ip[0] != 127 && !(ip[0] == 100 && (ip[1] & 0xc0) == 64) &&
	       !(ip[0] == 169 && ip[1] == 254) && !(ip[0] == 172 && (ip[1] & 0xf0) == 16) &&
	       !(ip[0] == 192 && ip[1] == 168);
}

/* RFC 1122, 1918, 3927, 4193, 4291, 6598. */
bool bb_host_public(const char *host)
{
	static const unsigned char loopback[16] = {[15] = 1};
	unsigned char ip[16];

	if (inet_pton(AF_INET, host, ip) == 1)
		return is_public4(ip);
	return inet_pton(AF_INET6, host, ip) == 1 && (ip[0] & 0xfe) != 0xfc &&
	       !(ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) &&
	       memcmp(ip, loopback, sizeof(loopback)) != 0;
}

void bb_host_site(char out[BB_HOST_MAX + 1], const char *host)
{
	unsigned char ip[16];

	if (inet_pton(AF_INET6, host, ip) != 1 || !bb_host_public(host)) {
		snprintf(out, BB_HOST_MAX + 1, "%s", host);
		return;
	}
	memset(ip + 8, 0, 8);
	if (!inet_ntop(AF_INET6, ip, out, BB_HOST_MAX + 1))
		out[0] = '\0';
}

void bb_host_group(char out[BB_HOST_MAX + 1], const char *host)
{
	unsigned char ip[16];

	if (!bb_host_public(host)) {
		snprintf(out, BB_HOST_MAX + 1, "%s", host);
	} else if (inet_pton(AF_INET, host, ip) == 1) {
		snprintf(out, BB_HOST_MAX + 1, "%u.%u", ip[0], ip[1]);
	} else {
		inet_pton(AF_INET6, host, ip);
		snprintf(out, BB_HOST_MAX + 1, "%02x%02x:%02x%02x", ip[0], ip[1], ip[2], ip[3]);
	}
}

bool bb_host_same_site(const char *a, const char *b)
{
	char of_a[BB_HOST_MAX + 1], of_b[BB_HOST_MAX + 1];

	bb_host_site(of_a, a);
	bb_host_site(of_b, b);
	return strcmp(of_a, of_b) == 0;
}

static bool name_of(char out[BB_HOST_MAX + 1], const char *text, size_t len)
{
	enum { NAME_MAX_BYTES = 253 };

	if (!len || len > NAME_MAX_BYTES || text[0] == '-' || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' &&
			c != '_')
			return false;
		out[i] = c;
	}
	out[len] = '\0';
	return true;
}

static bool any_host(char out[BB_HOST_MAX + 1], const char *text, size_t len)
{
	char copy[BB_HOST_MAX + 1];

	if (len > BB_HOST_MAX || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return bb_host_normal(out, copy) || name_of(out, copy, len);
}

bool bb_host_any(char out[BB_HOST_MAX + 1], const char *text)
{
	return any_host(out, text, strlen(text));
}

bool bb_host_name(char out[BB_HOST_MAX + 1], const char *text)
{
	return name_of(out, text, strlen(text));
}

static bool port_of(uint16_t *out, const char *text)
{
	unsigned long port = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || c - text > 4)
			return false;
		port = 10 * port + (unsigned long)(*c - '0');
	}
	*out = (uint16_t)port;
	return port && port <= UINT16_MAX;
}

bool bb_endpoint_parse(struct bb_net_address *out, const char *text, uint16_t default_port)
{
	const char *host = text, *end, *port;

	*out = (struct bb_net_address){.port = default_port};
	if (*text == '[') {
		host++;
		/* Brackets are for what has colons itself. */
		if (!(end = strchr(host, ']')) || !memchr(host, ':', (size_t)(end - host)))
			return false;
		port = end + 1;
		if (*port && *port != ':')
			return false;
	} else {
		/* Several colons without brackets: an IPv6 address alone. */
		port = strchr(text, ':');
		if (!port || strchr(port + 1, ':'))
			port = text + strlen(text);
		end = port;
	}
	if (*port && !port_of(&out->port, port + 1))
		return false;
	return out->port && any_host(out->host, host, (size_t)(end - host));
}
