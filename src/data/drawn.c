/* SPDX-License-Identifier: Apache-2.0 */
/* The generated set: one of 24 shapes on a cluttered ground, 32 x 32 in colour. The shape varies in
 * place, size, rotation, stretch and colour; strokes and fragments lie around and over it; all of
 * it is blurred and noisy. Everything follows from seed, part and index. The ranges below were
 * chosen so that capacity matters (docs/method-training.md has the numbers). */
#include "data_internal.h"

#include <math.h>
#include <string.h>

#define SIDE ((int)ATOLL__DRAWN_SIDE)
#define PI 3.14159265358979323846

static const struct {
    double radius_low, radius_high; /* pixels from the centre to the farthest point */
    double shift;                   /* of the centre, pixels either way */
    double stretch;                 /* of one axis, share either way */
    double contrast_low;            /* distance of shape and ground, 0..1 */
    double blur_low, blur_high;     /* deviation, pixels */
    double noise_low, noise_high;   /* deviation, of 255 */
    unsigned strokes_most, chips_most;
} range = {7.5, 13.0, 3.0, 0.14, 0.32, 0.3, 0.85, 2.5, 13.0, 2, 2};

/* ------------------------------------------------------------------- shapes */

const char *const atoll__data_drawn_names[ATOLL__DRAWN_CLASSES] = {
    "disc",    "ring",         "half disc",    "pie",         "crescent", "ellipse",
    "square",  "frame",        "bar",          "triangle",    "wedge",    "pentagon",
    "hexagon", "star of four", "star of five", "star of six", "cross",    "tee",
    "ell",     "cup",          "arrow",        "heart",       "drop",     "two bars"};

static bool in_box(double x, double y, double x0, double y0, double x1, double y1)
{
    return x >= x0 && x <= x1 && y >= y0 && y <= y1;
}

/* Regular polygon with `n` corners on the unit circle. */
static bool in_polygon(double x, double y, int n)
{
    const double r = hypot(x, y);
    const double step = 2 * PI / n;
    double a = fmod(atan2(y, x) + 4 * PI, step) - step / 2;
    return r * cos(a) <= cos(step / 2);
}

/* Star with `n` points: straight lines from radius 1 to radius `inner` and back. */
static bool in_star(double x, double y, int n, double inner)
{
    const double r = hypot(x, y);
    const double step = PI / n;
    double a = fmod(atan2(y, x) + 4 * PI, 2 * step);
    a = a > step ? 2 * step - a : a; /* 0 at a point, step at a notch */
    const double px = r * cos(a), py = r * sin(a);
    const double qx = inner * cos(step), qy = inner * sin(step);
    return (qx - 1) * py - qy * (px - 1) >= 0; /* on the centre's side of the edge */
}

static bool in_heart(double x, double y)
{
    const double u = x * 1.2, v = y * 1.2 + 0.15;
    const double w = u * u + v * v - 0.75;
    return w * w * w - u * u * v * v * v * 1.6 <= 0;
}

static bool in_drop(double x, double y)
{
    const double v = (y + 1) / 2; /* 0 at the tip */
    return v >= 0 && v <= 1 && fabs(x) <= 1.15 * v * sqrt(v) * sqrt(fmax(0, 1 - v)) * 1.4;
}

/* Is a point of the unit circle's inside in the shape? Shapes are about equal in area, and no two
 * become one by rotation or by the stretch that is drawn. */
static bool inside(uint32_t shape, double x, double y)
{
    const double r2 = x * x + y * y;
    switch (shape) {
    case 0:
        return r2 <= 0.75;
    case 1:
        return r2 <= 0.9 && r2 >= 0.36;
    case 2:
        return r2 <= 1 && y >= -0.1;
    case 3:
        return r2 <= 1 && !(x > 0 && y > 0);
    case 4:
        return r2 <= 1 && hypot(x - 0.5, y) >= 0.75;
    case 5:
        return x * x + y * y / 0.2 <= 1;
    case 6:
        return in_box(x, y, -0.7, -0.7, 0.7, 0.7);
    case 7:
        return in_box(x, y, -0.7, -0.7, 0.7, 0.7) && !in_box(x, y, -0.36, -0.36, 0.36, 0.36);
    case 8:
        return in_box(x, y, -0.95, -0.3, 0.95, 0.3);
    case 9:
        return in_polygon(x, y, 3);
    case 10:
        return x >= -0.6 && y >= -0.6 && x + y <= 0.2;
    case 11:
        return in_polygon(x, y, 5);
    case 12:
        return in_polygon(x, y, 6);
    case 13:
        return in_star(x, y, 4, 0.35);
    case 14:
        return in_star(x, y, 5, 0.42);
    case 15:
        return in_star(x, y, 6, 0.55);
    case 16:
        return in_box(x, y, -0.9, -0.25, 0.9, 0.25) || in_box(x, y, -0.25, -0.9, 0.25, 0.9);
    case 17:
        return in_box(x, y, -0.8, -0.8, 0.8, -0.35) || in_box(x, y, -0.25, -0.8, 0.25, 0.9);
    case 18:
        return in_box(x, y, -0.7, -0.8, -0.2, 0.8) || in_box(x, y, -0.7, 0.3, 0.7, 0.8);
    case 19:
        return in_box(x, y, -0.75, -0.75, 0.75, 0.75) && !in_box(x, y, -0.3, -1, 0.3, 0.3);
    case 20:
        return in_box(x, y, -0.95, -0.2, 0.1, 0.2) || (x >= 0.1 && fabs(y) <= 0.75 * (0.95 - x));
    case 21:
        return in_heart(x, -y);
    case 22:
        return in_drop(x, y);
    default:
        return in_box(x, y, -0.8, -0.7, 0.8, -0.2) || in_box(x, y, -0.8, 0.2, 0.8, 0.7);
    }
}

/* ------------------------------------------------------------------ drawing */

struct canvas {
    float v[32][32][3];
};
struct place {
    double cx, cy, radius, c, s, sx, sy;
};

static double between(struct atoll_rng *r, double low, double high)
{
    return low + (high - low) * atoll_rng_unit(r);
}

static void draw_colour(struct atoll_rng *r, float out[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = (float)between(r, 0.05, 0.95);
    }
}

static float distance(const float a[3], const float b[3])
{
    float sum = 0;
    for (int i = 0; i < 3; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sqrtf(sum / 3);
}

static struct place draw_place(struct atoll_rng *r, double radius, double shift)
{
    const double angle = between(r, 0, 2 * PI);
    struct place p = {.cx = SIDE / 2.0 + between(r, -shift, shift),
                      .cy = SIDE / 2.0 + between(r, -shift, shift),
                      .radius = radius,
                      .c = cos(angle),
                      .s = sin(angle)};
    p.sx = 1 + between(r, -range.stretch, range.stretch);
    p.sy = 1 + between(r, -range.stretch, range.stretch);
    return p;
}

/* Share of a pixel that the shape covers: 3 x 3 points. */
static float cover(const struct place *p, uint32_t shape, int px, int py)
{
    int hits = 0;
    for (int i = 0; i < 9; i++) {
        const double dx = (px + (i % 3 + 0.5) / 3 - p->cx) / p->radius;
        const double dy = (py + (i / 3 + 0.5) / 3 - p->cy) / p->radius;
        const double x = (p->c * dx + p->s * dy) * p->sx, y = (p->c * dy - p->s * dx) * p->sy;
        hits += inside(shape, x, y);
    }
    return (float)hits / 9;
}

static void mix(float pixel[3], const float colour[3], float share)
{
    for (int i = 0; i < 3; i++) {
        pixel[i] += share * (colour[i] - pixel[i]);
    }
}

static void draw_shape(struct canvas *c, const struct place *p, uint32_t shape,
                       const float colour[3])
{
    const double reach = p->radius * 1.3 + 1;
    for (int y = (int)fmax(0, p->cy - reach); y < SIDE && y < p->cy + reach; y++) {
        for (int x = (int)fmax(0, p->cx - reach); x < SIDE && x < p->cx + reach; x++) {
            mix(c->v[y][x], colour, cover(p, shape, x, y));
        }
    }
}

/* A ground whose colour changes from one side to the other. */
static void draw_ground(struct canvas *c, struct atoll_rng *r, const float colour[3])
{
    const double gx = between(r, -0.16, 0.16), gy = between(r, -0.16, 0.16);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const float slope = (float)(gx * (x - 15.5) / 16 + gy * (y - 15.5) / 16);
            for (int i = 0; i < 3; i++) {
                c->v[y][x][i] = colour[i] + slope;
            }
        }
    }
}

static void draw_stroke(struct canvas *c, struct atoll_rng *r)
{
    float colour[3];
    draw_colour(r, colour);
    const double x0 = between(r, 0, SIDE), y0 = between(r, 0, SIDE), angle = between(r, 0, 2 * PI);
    const double length = between(r, 4, 18), width = between(r, 0.4, 1.2);
    const double ux = cos(angle), uy = sin(angle);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const double dx = x + 0.5 - x0, dy = y + 0.5 - y0;
            const double along = fmin(fmax(dx * ux + dy * uy, 0), length);
            const double off = hypot(dx - along * ux, dy - along * uy);
            mix(c->v[y][x], colour, (float)fmin(fmax(width - off + 0.5, 0), 1));
        }
    }
}

/* A small piece of some shape, anywhere. */
static void draw_chip(struct canvas *c, struct atoll_rng *r)
{
    float colour[3];
    draw_colour(r, colour);
    const struct place p = draw_place(r, between(r, 1.5, 3.5), 15);
    draw_shape(c, &p, (uint32_t)atoll_rng_below(r, ATOLL__DRAWN_CLASSES), colour);
}

/* -------------------------------------------------------- blur, noise, bytes */

static void blur(struct canvas *c, double sigma)
{
    static const int reach = 3;
    float weight[4], sum = 0;
    struct canvas t;
    for (int i = 0; i <= reach; i++) {
        weight[i] = expf((float)(-i * i / (2 * sigma * sigma)));
        sum += i == 0 ? weight[i] : 2 * weight[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                float v[3] = {0};
                for (int k = -reach; k <= reach; k++) {
                    const int at = (pass == 0 ? x : y) + k;
                    const int in = at < 0 ? 0 : at >= SIDE ? SIDE - 1 : at;
                    const float *p = pass == 0 ? c->v[y][in] : c->v[in][x];
                    const float w = weight[k < 0 ? -k : k] / sum;
                    for (int i = 0; i < 3; i++) {
                        v[i] += w * p[i];
                    }
                }
                memcpy(t.v[y][x], v, sizeof v);
            }
        }
        *c = t;
    }
}

/* Near-normal noise from one draw: the four 16-bit parts of a word summed. */
static float noise(struct atoll_rng *r)
{
    const uint64_t u = atoll_rng_u64(r);
    const double sum = (double)(u & 0xffff) + (double)(u >> 16 & 0xffff) +
                       (double)(u >> 32 & 0xffff) + (double)(u >> 48);
    return (float)((sum / 65536 - 2) * 1.7320508);
}

static void to_bytes(const struct canvas *c, struct atoll_rng *r, double sigma, uint8_t *pixels)
{
    const float *v = &c->v[0][0][0];
    for (size_t i = 0; i < (size_t)SIDE * (size_t)SIDE * 3; i++) {
        const float x = v[i] * 255 + (float)sigma * noise(r);
        pixels[i] = x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5f);
    }
}

void atoll__data_draw(uint64_t seed, enum atoll_part part, uint64_t index,
                      uint8_t pixels[ATOLL__DRAWN_SIDE * ATOLL__DRAWN_SIDE * 3], uint8_t *label)
{
    struct atoll_rng r;
    struct canvas c;
    float ground[3], colour[3];
    atoll_rng_seed(&r, atoll_seed_mix(atoll_seed_mix(seed, (uint64_t)part + 1), index));
    const uint32_t shape = (uint32_t)(index % ATOLL__DRAWN_CLASSES); /* as many of each */
    draw_colour(&r, ground);
    do {
        draw_colour(&r, colour);
    } while (distance(ground, colour) < range.contrast_low);
    draw_ground(&c, &r, ground);
    for (uint64_t n = atoll_rng_below(&r, range.strokes_most + 1); n > 0; n--) {
        draw_stroke(&c, &r);
    }
    const double radius = between(&r, range.radius_low, range.radius_high);
    const struct place p = draw_place(&r, radius, fmin(range.shift, SIDE / 2.0 - 1 - radius * 0.8));
    draw_shape(&c, &p, shape, colour);
    for (uint64_t n = atoll_rng_below(&r, range.chips_most + 1); n > 0; n--) {
        draw_chip(&c, &r);
    }
    blur(&c, between(&r, range.blur_low, range.blur_high));
    to_bytes(&c, &r, between(&r, range.noise_low, range.noise_high), pixels);
    *label = (uint8_t)shape;
}
