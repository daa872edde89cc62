/* SPDX-License-Identifier: Apache-2.0 */
/* Built instead of train_dnnl*.c without libdnnl-dev: no trainer can be opened, so the functions
 * that take one are never reached with one. */
#include "train_internal.h"

static int missing(struct atoll_err *err)
{
    return atoll_fail(err, ATOLL_EUNSUPPORTED,
                      "this atoll was built without training; install Debian's libdnnl-dev "
                      "(apt-get install libdnnl-dev) and build it again");
}

int atoll_trainer_open(const struct atoll_net *net, const struct atoll_trainer_opts *o,
                       struct atoll_trainer **t, struct atoll_err *err)
{
    (void)net;
    (void)o;
    (void)t;
    return missing(err);
}
void atoll_trainer_close(struct atoll_trainer **t)
{
    (void)t;
}
float *atoll_trainer_input(struct atoll_trainer *t)
{
    (void)t;
    return NULL;
}
const float *atoll_trainer_logits(const struct atoll_trainer *t)
{
    (void)t;
    return NULL;
}
float *atoll_trainer_logits_grad(struct atoll_trainer *t)
{
    (void)t;
    return NULL;
}
int atoll_trainer_forward(struct atoll_trainer *t, bool training, struct atoll_err *err)
{
    (void)t;
    (void)training;
    return missing(err);
}
int atoll_trainer_backward(struct atoll_trainer *t, struct atoll_err *err)
{
    (void)t;
    return missing(err);
}
void atoll_trainer_update(struct atoll_trainer *t, float rate, float momentum, float decay)
{
    (void)t;
    (void)rate;
    (void)momentum;
    (void)decay;
}
void atoll_trainer_range(const struct atoll_trainer *t, uint32_t node, float *low, float *high)
{
    (void)t;
    (void)node;
    *low = *high = 0;
}
uint32_t atoll_trainer_params(const struct atoll_trainer *t)
{
    (void)t;
    return 0;
}
struct atoll_param atoll_trainer_param(const struct atoll_trainer *t, uint32_t param)
{
    (void)t;
    (void)param;
    return (struct atoll_param){0};
}
int atoll_trainer_read(struct atoll_trainer *t, uint32_t param, enum atoll_param_what what,
                       float *out, struct atoll_err *err)
{
    (void)t;
    (void)param;
    (void)what;
    (void)out;
    return missing(err);
}
int atoll_trainer_write(struct atoll_trainer *t, uint32_t param, enum atoll_param_what what,
                        const float *in, struct atoll_err *err)
{
    (void)t;
    (void)param;
    (void)what;
    (void)in;
    return missing(err);
}
const char *atoll_trainer_kernels(void)
{
    return "";
}
const struct atoll_net *atoll__trainer_net(const struct atoll_trainer *t)
{
    (void)t;
    return NULL;
}
uint32_t atoll__trainer_batch(const struct atoll_trainer *t)
{
    (void)t;
    return 0;
}
