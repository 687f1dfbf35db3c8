/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * trace.c -- reads what trace.h describes.
 */
#include "trace.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A trace that is being read. */
struct reader {
	const char *path;
	unsigned long line; /* from 1 */
	struct trace *trace;
	size_t room; /* events that there is memory for */
	uint8_t *alive; /* per id */
	uint32_t live, alive_room;
};

static bool complain(const struct reader *reader, const char *what)
{
	fprintf(stderr, "%s:%lu: %s\n", reader->path, reader->line, what);
	return false;
}

/* A decimal number below the bound, and what follows it: a blank, or nothing. */
static bool read_number(char **text, uint64_t bound, uint64_t *value)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (errno || *value >= bound || (*end && *end != ' '))
		return false;
	*text = *end ? end + 1 : end;
	return true;
}

static bool parse(char *text, struct trace_event *event)
{
	uint64_t us, cpu, id, level = TRACE_FREE;
	char what;

	if (!read_number(&text, UINT64_MAX, &us) || !read_number(&text, TRACE_CPUS, &cpu))
		return false;
	what = *text;
	if ((what != 'a' && what != 'f') || text[1] != ' ')
		return false;
	text += 2;
	if (!read_number(&text, TRACE_IDS, &id))
		return false;
	if (what == 'a' && !read_number(&text, 5, &level))
		return false;
	event->us = us;
	event->cpu = (uint16_t)cpu;
	event->id = (uint32_t)id;
	event->level = (uint8_t)level;
	return !*text;
}

/* Room for one more event, and for that id. */
static bool grow(struct reader *reader, uint32_t id)
{
	struct trace *trace = reader->trace;

	if (trace->n == reader->room) {
		const size_t room = reader->room ? 2 * reader->room : 1024;
		void *events = realloc(trace->events, room * sizeof(*trace->events));

		if (!events)
			return false;
		trace->events = events;
		reader->room = room;
	}
	if (id >= reader->alive_room) {
		const uint32_t room = id + id / 2 + 1024;
		uint8_t *alive = realloc(reader->alive, room);

		if (!alive)
			return false;
		memset(alive + reader->alive_room, 0, room - reader->alive_room);
		reader->alive = alive;
		reader->alive_room = room;
	}
	return true;
}

/* Takes an event into the trace, if it can be one there. */
static bool add(struct reader *reader, const struct trace_event *event)
{
	struct trace *trace = reader->trace;
	const bool is_free = event->level == TRACE_FREE;

	if (!grow(reader, event->id))
		return complain(reader, "no memory");
	if (trace->n && event->us < trace->events[trace->n - 1].us)
		return complain(reader, "time goes back");
	if (is_free && !reader->alive[event->id])
		return complain(reader, "free of an id that is not allocated");
	if (!is_free && reader->alive[event->id])
		return complain(reader, "allocation of an id that is allocated already");
	reader->alive[event->id] = !is_free;
	reader->live += is_free ? UINT32_MAX : 1;
	if (reader->live > trace->peak_live)
		trace->peak_live = reader->live;
	if (event->id >= trace->ids)
		trace->ids = event->id + 1;
	if (event->cpu >= trace->cpus)
		trace->cpus = event->cpu + 1u;
	trace->events[trace->n++] = *event;
	return true;
}

static bool read_line(struct reader *reader, char *text)
{
	const size_t length = strlen(text);
	struct trace_event event;

	reader->line++;
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	if (!parse(text, &event))
		return complain(reader, "not `<us> <cpu> a <id> <level>' or `<us> <cpu> f <id>'");
	return add(reader, &event);
}

static bool is_compressed(const char *path)
{
	const size_t length = strlen(path);

	return length > 3 && !strcmp(path + length - 3, ".xz");
}

/* The file, or what xz makes of it; by the environment, as the shell would read a name. */
static FILE *open_text(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file || !is_compressed(path))
		return file;
	fclose(file);
	if (setenv("HM_BENCH_TRACE", path, 1))
		return NULL;
	return popen("exec xz -dc -- \"$HM_BENCH_TRACE\"", "r");
}

bool trace_read(struct trace *trace, const char *path)
{
	struct reader reader = { .path = path, .trace = trace };
	FILE *file = open_text(path);
	char text[128];
	bool ok = true, unread;

	memset(trace, 0, sizeof(*trace));
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while (ok && fgets(text, sizeof(text), file))
		ok = read_line(&reader, text);
	unread = ferror(file) != 0;
	unread |= (is_compressed(path) ? pclose(file) : fclose(file)) != 0;
	if (ok && unread) {
		fprintf(stderr, "%s: cannot be read%s\n", path,
			is_compressed(path) ? "; Debian package xz-utils has xz" : "");
		ok = false;
	}
	if (ok && !trace->n) {
		fprintf(stderr, "%s: has no events\n", path);
		ok = false;
	}
	free(reader.alive);
	if (!ok)
		trace_release(trace);
	return ok;
}

void trace_release(struct trace *trace)
{
	free(trace->events);
	memset(trace, 0, sizeof(*trace));
}
