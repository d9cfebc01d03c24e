/* Video devices that are not there, for programs started with LD_PRELOAD=v4l2_shim.so.

   The stock libraries open, negotiate, map, poll and dequeue as they would with a camera; this
   file answers in the kernel's place. Frames have a content that tests can compute.

   V4L2_SHIM lists the devices, separated by ";", each of "key=value" separated by ",":
     path          "/dev/video42"
     card          name of the device, "Shim" by default
     format        "Y16 " or "YUYV", four characters
     width, height pixels; also the only size that it offers
     rate          frames a second
     telemetry     1: the last rows are a Lepton's telemetry (2 rows of 160, 3 rows of 80)
     repeat        each exposure is sent so many times
     shutter_at    telemetry: exposures from here on say that the shutter is closed
     shutter       ... for so many exposures
     gap_at, gap   before this frame so many are counted and lost
     stall_at, stall_ms   before this frame nothing comes for so long
     unplug_at     the device is gone before this frame, once
     replug_ms     ... and back after so long; 0 is never
     armed_by      file: gap_at, stall_at and unplug_at count from when it is there, and not from
                   the opening
     eio_at        from this frame on dequeuing fails with EIO
     damaged_at    this frame has the driver's flag for damage
     is_mute       1: the driver does not say which buffer holds which frame
     jpegs         folder with 0.jpg, 1.jpg and so on, which "MJPG" devices send
     torn_at       MJPG: this frame is no picture
     cut_at        MJPG: the last quarter of this frame did not come
     frames        file of exposures, raw and one after the other, telemetry left out, to be sent
     count         so many frames are sent, then nothing comes any more
   V4L2_SHIM_LOG is a file that gets a line "path sequence nanoseconds" for each frame handed out. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define MOST_DEVICES 16
#define MOST_BUFFERS 16
#define PAGE 4096u
#define NS 1000000000ll

typedef struct {
    char path[64], card[32], format[8], jpegs[256], frames[256], armed_by[256];
    int width, height, rate, telemetry, repeat, shutter_at, shutter;
    int gap_at, gap, stall_at, stall_ms, unplug_at, replug_ms, eio_at;
    int damaged_at, torn_at, cut_at, is_mute, count;
    int fd, listing_fd, is_streaming, buffers, queued[MOST_BUFFERS], order[MOST_BUFFERS], waiting;
    struct v4l2_buffer done[MOST_BUFFERS];
    uint8_t *memory;
    int64_t start_ns, gone_ns;
    int64_t armed_at;  /* number of the frame that faults are counted from, or -1 */
    int64_t next;   /* number of the frame that is handed out next */
    int is_gone, was_unplugged;
} Device;

static Device devices[MOST_DEVICES];
static int device_count;
static FILE *handed_out;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS + t.tv_nsec;
}

static void set(Device *d, const char *key, const char *value) {
    struct { const char *key; int *field; } numbers[] = {
        {"width", &d->width}, {"height", &d->height}, {"rate", &d->rate},
        {"telemetry", &d->telemetry}, {"repeat", &d->repeat},
        {"shutter_at", &d->shutter_at}, {"shutter", &d->shutter},
        {"gap_at", &d->gap_at}, {"gap", &d->gap},
        {"stall_at", &d->stall_at}, {"stall_ms", &d->stall_ms},
        {"unplug_at", &d->unplug_at}, {"replug_ms", &d->replug_ms}, {"eio_at", &d->eio_at},
        {"damaged_at", &d->damaged_at}, {"torn_at", &d->torn_at}, {"cut_at", &d->cut_at},
        {"is_mute", &d->is_mute}, {"count", &d->count},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i].key)) *numbers[i].field = atoi(value);
    if (!strcmp(key, "path")) snprintf(d->path, sizeof d->path, "%s", value);
    if (!strcmp(key, "card")) snprintf(d->card, sizeof d->card, "%s", value);
    if (!strcmp(key, "jpegs")) snprintf(d->jpegs, sizeof d->jpegs, "%s", value);
    if (!strcmp(key, "frames")) snprintf(d->frames, sizeof d->frames, "%s", value);
    if (!strcmp(key, "armed_by")) snprintf(d->armed_by, sizeof d->armed_by, "%s", value);
    if (!strcmp(key, "format")) snprintf(d->format, sizeof d->format, "%s", value);
}

static void read_settings(void) {
    const char *text = getenv("V4L2_SHIM"), *log = getenv("V4L2_SHIM_LOG");
    char *copy = strdup(text ? text : ""), *outer, *inner;
    if (log) handed_out = fopen(log, "a");
    for (char *one = strtok_r(copy, ";", &outer); one; one = strtok_r(NULL, ";", &outer)) {
        Device *d = &devices[device_count++];
        *d = (Device){.card = "Shim", .format = "Y16 ", .rate = 30, .repeat = 1, .fd = -1,
                      .listing_fd = -1, .damaged_at = -1, .torn_at = -1, .cut_at = -1,
                      .gap_at = -1, .stall_at = -1, .unplug_at = -1, .eio_at = -1,
                      .shutter_at = -1, .count = -1};
        for (char *pair = strtok_r(one, ",", &inner); pair; pair = strtok_r(NULL, ",", &inner)) {
            char *value = strchr(pair, '=');
            if (value) { *value = 0; set(d, pair, value + 1); }
        }
        d->armed_at = d->armed_by[0] ? -1 : 0;
    }
    free(copy);
}

static Device *device_of(int fd) {
    pthread_once(&once, read_settings);
    for (int i = 0; i < device_count; i++)
        if (fd >= 0 && (devices[i].fd == fd || devices[i].listing_fd == fd)) return &devices[i];
    return NULL;
}

/* ---- what a frame shows ---- */

static uint32_t bytes_per_frame(const Device *d) { return 2u * d->width * d->height; }

static void put_u32(uint16_t *words, int at, uint32_t value) {
    words[at] = value & 0xffff;
    words[at + 1] = value >> 16;
}

static void draw_telemetry(const Device *d, uint16_t *words, uint32_t exposure) {
    int is_closed = d->shutter_at >= 0 && (int)exposure >= d->shutter_at &&
                    (int)exposure < d->shutter_at + d->shutter;
    memset(words, 0, 240 * sizeof *words);
    words[0] = 0x0e09;
    put_u32(words, 1, 5000 + exposure * 111);       /* milliseconds since it was switched on */
    put_u32(words, 3, (is_closed ? 2u : 3u) << 4);  /* FFC in progress, or complete */
    put_u32(words, 20, 70000 + exposure);
    words[24] = 30515;                              /* focal plane, 0.01 K */
    words[26] = 30015;                              /* housing, 0.01 K */
    words[29] = 30475;
    put_u32(words, 30, 4000);
    words[208] = 1;                                 /* TLinear is on */
    words[209] = 1;                                 /* with 0.01 K a count */
}

/* How many bytes frame `number` has, once they are drawn. */
static uint32_t draw_jpeg(const Device *d, uint8_t *bytes, uint32_t number) {
    char path[320];
    snprintf(path, sizeof path, "%s/%u.jpg", d->jpegs, number);
    FILE *file = fopen(path, "rb");
    memset(bytes, 0, bytes_per_frame(d));
    if (!file) return bytes_per_frame(d);
    uint32_t size = fread(bytes, 1, bytes_per_frame(d), file);
    fclose(file);
    if ((int)number == d->torn_at) memset(bytes, 0, size);
    return (int)number == d->cut_at ? size * 3 / 4 : size;
}

/* An exposure of the file, which every opening of the device shows from its first on. */
static void draw_stored(const Device *d, uint8_t *bytes, uint32_t exposure, size_t size) {
    FILE *file = fopen(d->frames, "rb");
    memset(bytes, 0, size);
    if (!file) return;
    size_t read = fseek(file, (long)(exposure * size), SEEK_SET) ? 0 : fread(bytes, 1, size, file);
    if (read < size) memset(bytes, 0, size);
    fclose(file);
}

static uint32_t draw(const Device *d, uint8_t *bytes, uint32_t number) {
    if (d->jpegs[0]) return draw_jpeg(d, bytes, number);
    uint32_t exposure = number / d->repeat;
    uint16_t *words = (uint16_t *)bytes;
    int rows = d->height - (d->telemetry ? (d->width == 80 ? 3 : 2) : 0);
    if (d->frames[0]) {
        draw_stored(d, bytes, exposure, 2u * d->width * rows);
        if (d->telemetry) draw_telemetry(d, words + d->width * rows, exposure);
        return bytes_per_frame(d);
    }
    if (d->format[0] == 'Y' && d->format[1] == 'U') {
        for (int y = 0; y < d->height; y++)
            for (int x = 0; x < d->width; x++, bytes += 2) {
                bytes[0] = 16 + (x * 3 + y * 5 + exposure * 7) % 220;
                bytes[1] = x % 2 ? 100 + exposure % 50 : 150u - y % 50;
            }
        return bytes_per_frame(d);
    }
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < d->width; x++)
            *words++ = 29000 + (x * 7 + y * 13 + exposure * 31) % 4096;
    if (d->telemetry) draw_telemetry(d, words, exposure);
    return bytes_per_frame(d);
}

/* ---- when a frame comes ---- */

static int has_come(const Device *d, int fault_at, int64_t number) {
    return fault_at >= 0 && d->armed_at >= 0 && number >= d->armed_at + fault_at;
}

static void arm(Device *d) {
    if (d->armed_at < 0 && !access(d->armed_by, F_OK)) d->armed_at = d->next;
}

static int64_t due_ns(const Device *d, int64_t number) {
    int64_t due = d->start_ns + number * NS / d->rate;
    return has_come(d, d->stall_at, number) ? due + d->stall_ms * 1000000ll : due;
}

/* Frames that found no empty buffer in time are lost, and counted, as in a driver. */
static void lose_late(Device *d) {
    int64_t newest = d->next;
    while (due_ns(d, newest + 1) <= now_ns()) newest++;
    if (newest - d->next >= d->buffers) d->next = newest - d->buffers + 1;
    if (has_come(d, d->gap_at, d->next)) {
        d->next += d->gap;
        d->gap_at = -1;
    }
}

static int is_unplugged(Device *d) {
    arm(d);
    if (!d->is_gone && !d->was_unplugged && has_come(d, d->unplug_at, d->next)) {
        d->is_gone = d->was_unplugged = 1;
        d->gone_ns = now_ns();
    }
    return d->is_gone;
}

static int is_ready(Device *d) {
    if (!d->is_streaming || !d->waiting) return 0;
    lose_late(d);
    if (d->count >= 0 && d->next >= d->count) return 0;
    return due_ns(d, d->next) <= now_ns();
}

static int dequeue(Device *d, struct v4l2_buffer *buffer) {
    if (is_unplugged(d)) return errno = ENODEV, -1;
    if (!is_ready(d)) return errno = EAGAIN, -1;
    if (d->eio_at >= 0 && d->next >= d->eio_at) return errno = EIO, -1;
    int index = d->order[0];
    memmove(d->order, d->order + 1, --d->waiting * sizeof *d->order);
    struct v4l2_buffer *done = &d->done[index];
    int64_t stamp_ns = due_ns(d, d->next);
    done->bytesused = draw(d, d->memory + done->m.offset, d->next);
    done->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    if (d->next == d->damaged_at) done->flags |= V4L2_BUF_FLAG_ERROR;
    done->field = V4L2_FIELD_NONE;
    done->sequence = d->next++;
    done->timestamp = (struct timeval){stamp_ns / NS, stamp_ns % NS / 1000};
    if (handed_out) {
        fprintf(handed_out, "%s %u %lld\n", d->path, done->sequence, (long long)stamp_ns);
        fflush(handed_out);
    }
    *buffer = *done;
    d->queued[index] = 0;
    return 0;
}

/* ---- the calls that a program makes ---- */

static void fill_format(const Device *d, struct v4l2_format *f) {
    f->fmt.pix = (struct v4l2_pix_format){
        .width = d->width, .height = d->height, .field = V4L2_FIELD_NONE,
        .pixelformat = v4l2_fourcc(d->format[0], d->format[1], d->format[2], d->format[3]),
        .bytesperline = 2 * d->width, .sizeimage = bytes_per_frame(d),
    };
}

static int request_buffers(Device *d, struct v4l2_requestbuffers *r) {
    uint32_t size = (bytes_per_frame(d) + PAGE - 1) / PAGE * PAGE;
    if (r->count > MOST_BUFFERS) r->count = MOST_BUFFERS;
    if (d->memory) munmap(d->memory, size * d->buffers);
    d->memory = NULL;
    d->buffers = r->count;
    d->waiting = 0;
    if (!r->count) return 0;
    if (ftruncate(d->fd, size * r->count)) return -1;
    d->memory = mmap(NULL, size * r->count, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
    for (uint32_t i = 0; i < r->count; i++)
        d->done[i] = (struct v4l2_buffer){
            .index = i, .type = r->type, .memory = V4L2_MEMORY_MMAP,
            .length = bytes_per_frame(d), .m.offset = i * size};
    memset(d->queued, 0, sizeof d->queued);
    return 0;
}

static int enumerate(Device *d, unsigned long request, void *argument) {
    uint32_t fourcc = v4l2_fourcc(d->format[0], d->format[1], d->format[2], d->format[3]);
    if (request == VIDIOC_ENUM_FMT) {
        struct v4l2_fmtdesc *f = argument;
        if (f->index) return errno = EINVAL, -1;
        f->pixelformat = fourcc;
        snprintf((char *)f->description, sizeof f->description, "%s", d->format);
    } else if (request == VIDIOC_ENUM_FRAMESIZES) {
        struct v4l2_frmsizeenum *s = argument;
        if (s->index || s->pixel_format != fourcc) return errno = EINVAL, -1;
        s->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        s->discrete = (struct v4l2_frmsize_discrete){d->width, d->height};
    } else if (request == VIDIOC_ENUM_FRAMEINTERVALS) {
        struct v4l2_frmivalenum *s = argument;
        if (s->index) return errno = EINVAL, -1;
        s->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        s->discrete = (struct v4l2_fract){1, d->rate};
    } else {
        struct v4l2_input *input = argument;
        if (input->index) return errno = EINVAL, -1;
        input->type = V4L2_INPUT_TYPE_CAMERA;
        strcpy((char *)input->name, "Camera");
    }
    return 0;
}

static int queue(Device *d, struct v4l2_buffer *buffer) {
    if (d->eio_at >= 0 && d->next >= d->eio_at) return errno = EIO, -1;
    if (buffer->index >= (uint32_t)d->buffers || d->queued[buffer->index])
        return errno = EINVAL, -1;
    d->queued[buffer->index] = 1;
    d->order[d->waiting++] = buffer->index;
    return 0;
}

static int stream(Device *d, int is_on) {
    d->is_streaming = is_on;
    d->start_ns = now_ns();
    d->next = 0;
    if (!is_on) {
        d->waiting = 0;
        memset(d->queued, 0, sizeof d->queued);
    }
    return 0;
}

static int answer(Device *d, unsigned long request, void *argument) {
    if (is_unplugged(d)) return errno = ENODEV, -1;
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *c = argument;
        memset(c, 0, sizeof *c);
        strcpy((char *)c->driver, "uvcvideo");
        memcpy(c->card, d->card, sizeof d->card);
        snprintf((char *)c->bus_info, sizeof c->bus_info, "usb-shim-%.20s", d->path + 5);
        c->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        c->capabilities = c->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: case VIDIOC_ENUM_FRAMESIZES: case VIDIOC_ENUM_FRAMEINTERVALS:
    case VIDIOC_ENUMINPUT:
        return enumerate(d, request, argument);
    case VIDIOC_G_INPUT: return *(int *)argument = 0, 0;
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_G_FMT: case VIDIOC_S_FMT: case VIDIOC_TRY_FMT:
        return fill_format(d, argument), 0;
    case VIDIOC_G_PARM: case VIDIOC_S_PARM: {
        struct v4l2_streamparm *p = argument;
        p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        p->parm.capture.timeperframe = (struct v4l2_fract){1, d->rate};
        return 0;
    }
    case VIDIOC_REQBUFS: return request_buffers(d, argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        if (buffer->index >= (uint32_t)d->buffers) return errno = EINVAL, -1;
        if (d->is_mute && d->is_streaming) return errno = EBUSY, -1;
        *buffer = d->done[buffer->index];
        return 0;
    }
    case VIDIOC_QBUF: return queue(d, argument);
    case VIDIOC_DQBUF: return dequeue(d, argument);
    case VIDIOC_STREAMON: return stream(d, 1);
    case VIDIOC_STREAMOFF: return stream(d, 0);
    default: return errno = ENOTTY, -1;
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    Device *d = device_of(fd);
    /* The request comes sign-extended from callers that keep it in an int. */
    return d ? answer(d, request & 0xffffffffu, argument) : REAL(ioctl)(fd, request, argument);
}

/* 0 where the path is none of ours; else 1, with a new descriptor or -1 in `fd`. */
static int opened(const char *path, int *fd) {
    pthread_once(&once, read_settings);
    for (int i = 0; i < device_count; i++) {
        Device *d = &devices[i];
        if (!path || strcmp(path, d->path)) continue;
        int64_t away_ns = now_ns() - d->gone_ns;
        *fd = -1;
        if (d->is_gone && (!d->replug_ms || away_ns < d->replug_ms * 1000000ll))
            return errno = ENOENT, 1;
        pthread_mutex_lock(&lock);
        d->is_gone = 0;
        *fd = memfd_create("v4l2_shim", MFD_CLOEXEC);
        if (d->fd < 0) d->fd = *fd;
        else d->listing_fd = *fd;  /* a second opening, while the first one streams */
        pthread_mutex_unlock(&lock);
        return 1;
    }
    return 0;
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int), fd;
    va_end(list);
    return opened(path, &fd) ? fd : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int), fd;
    va_end(list);
    return opened(path, &fd) ? fd : REAL(open64)(path, flags, mode);
}

int close(int fd) {
    Device *d = device_of(fd);
    if (d && fd == d->listing_fd) {
        d->listing_fd = -1;
    } else if (d) {
        pthread_mutex_lock(&lock);
        stream(d, 0);
        d->fd = -1;
        d->memory = NULL;
        pthread_mutex_unlock(&lock);
    }
    return REAL(close)(fd);
}

ssize_t readlink(const char *path, char *target, size_t size) {
    int fd = -1;
    Device *d = sscanf(path, "/proc/self/fd/%d", &fd) == 1 ? device_of(fd) : NULL;
    if (!d) return REAL(readlink)(path, target, size);
    size_t length = strlen(d->path);
    memcpy(target, d->path, length < size ? length : size);
    return length < size ? length : size;
}

static short events_of(int fd) {
    Device *d = device_of(fd);
    if (is_unplugged(d)) return POLLERR | POLLHUP;
    return is_ready(d) ? POLLIN | POLLRDNORM : 0;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    int is_ours = count == 1 && device_of(fds[0].fd);
    if (!is_ours) return REAL(poll)(fds, count, timeout_ms);
    int64_t end_ns = now_ns() + timeout_ms * 1000000ll;
    while (!(fds->revents = events_of(fds->fd)) && (timeout_ms < 0 || now_ns() < end_ns))
        usleep(500);
    return fds->revents != 0;
}

int select(int count, fd_set *reading, fd_set *writing, fd_set *failing, struct timeval *limit) {
    int fd = count - 1;
    if (!reading || fd < 0 || !FD_ISSET(fd, reading) || !device_of(fd))
        return REAL(select)(count, reading, writing, failing, limit);
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int is_ready_now = poll(&one, 1, limit ? limit->tv_sec * 1000 + limit->tv_usec / 1000 : -1);
    if (!is_ready_now) FD_CLR(fd, reading);
    return is_ready_now;
}
